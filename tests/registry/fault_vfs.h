// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sqlite3.h>

#include <cstring>
#include <string>

namespace slipway::registry::testing {

/// Makes the n-th write, sync, truncation or growth of shared memory that SQLite asks of the
/// operating system fail, and all after it for as long as it is armed. One at a time; stands in
/// front of the default VFS while it lives. Not thread-safe.
class FaultVfs {
 public:
  FaultVfs() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
    current() = this;
    vfs_.zName = "fault";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.xOpen = Open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FaultVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
    current() = nullptr;
  }
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  void Arm(int after, int code) {
    left_ = after;
    code_ = code;
  }
  void Disarm() { left_ = -1; }
  /// Whether the fault has struck since it was armed.
  bool struck() const { return left_ == 0; }

 private:
  struct File {
    sqlite3_file base;
    sqlite3_io_methods methods;
  };

  static FaultVfs*& current() {
    static FaultVfs* current = nullptr;
    return current;
  }
  static sqlite3_file* Real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
  }
  static bool Fails() {
    FaultVfs& self = *current();
    if (self.left_ > 0) --self.left_;
    return self.left_ == 0;
  }
  static int Write(sqlite3_file* f, const void* data, int bytes, sqlite3_int64 at) {
    return Fails() ? current()->code_ : Real(f)->pMethods->xWrite(Real(f), data, bytes, at);
  }
  static int Truncate(sqlite3_file* f, sqlite3_int64 size) {
    return Fails() ? SQLITE_IOERR_TRUNCATE : Real(f)->pMethods->xTruncate(Real(f), size);
  }
  static int Sync(sqlite3_file* f, int flags) {
    return Fails() ? SQLITE_IOERR_FSYNC : Real(f)->pMethods->xSync(Real(f), flags);
  }
  static int ShmMap(sqlite3_file* f, int page, int size, int extend, void volatile** memory) {
    if (extend != 0 && Fails()) return SQLITE_IOERR_SHMSIZE;
    return Real(f)->pMethods->xShmMap(Real(f), page, size, extend, memory);
  }
  static int Close(sqlite3_file* f) { return Real(f)->pMethods->xClose(Real(f)); }
  static int Read(sqlite3_file* f, void* data, int bytes, sqlite3_int64 at) {
    return Real(f)->pMethods->xRead(Real(f), data, bytes, at);
  }
  static int FileSize(sqlite3_file* f, sqlite3_int64* size) {
    return Real(f)->pMethods->xFileSize(Real(f), size);
  }
  static int Lock(sqlite3_file* f, int level) { return Real(f)->pMethods->xLock(Real(f), level); }
  static int Unlock(sqlite3_file* f, int level) {
    return Real(f)->pMethods->xUnlock(Real(f), level);
  }
  static int CheckReservedLock(sqlite3_file* f, int* held) {
    return Real(f)->pMethods->xCheckReservedLock(Real(f), held);
  }
  static int FileControl(sqlite3_file* f, int op, void* argument) {
    return Real(f)->pMethods->xFileControl(Real(f), op, argument);
  }
  static int SectorSize(sqlite3_file* f) { return Real(f)->pMethods->xSectorSize(Real(f)); }
  static int Characteristics(sqlite3_file* f) {
    return Real(f)->pMethods->xDeviceCharacteristics(Real(f));
  }
  static int ShmLock(sqlite3_file* f, int at, int count, int flags) {
    return Real(f)->pMethods->xShmLock(Real(f), at, count, flags);
  }
  static void ShmBarrier(sqlite3_file* f) { Real(f)->pMethods->xShmBarrier(Real(f)); }
  static int ShmUnmap(sqlite3_file* f, int remove) {
    return Real(f)->pMethods->xShmUnmap(Real(f), remove);
  }
  static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    sqlite3_vfs* real = current()->real_;
    const int code = real->xOpen(real, name, Real(file), flags, out);
    file->pMethods = nullptr;
    if (Real(file)->pMethods == nullptr) return code;
    sqlite3_io_methods& methods = reinterpret_cast<File*>(file)->methods;
    std::memset(&methods, 0, sizeof(methods));
    methods.iVersion = 2;
    methods.xClose = Close;
    methods.xRead = Read;
    methods.xWrite = Write;
    methods.xTruncate = Truncate;
    methods.xSync = Sync;
    methods.xFileSize = FileSize;
    methods.xLock = Lock;
    methods.xUnlock = Unlock;
    methods.xCheckReservedLock = CheckReservedLock;
    methods.xFileControl = FileControl;
    methods.xSectorSize = SectorSize;
    methods.xDeviceCharacteristics = Characteristics;
    methods.xShmMap = ShmMap;
    methods.xShmLock = ShmLock;
    methods.xShmBarrier = ShmBarrier;
    methods.xShmUnmap = ShmUnmap;
    file->pMethods = &methods;
    return code;
  }

  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;
  int left_ = -1;
  int code_ = SQLITE_IOERR_WRITE;
};

}  // namespace slipway::registry::testing
