/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, cancelling and limits by the C library.
 *
 *     c_limits LOOP.onnx ADD.onnx     (a loop of as many trips as are fed; x[n,2] plus a constant)
 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/slipway.h"

static int failures = 0;

static void expect(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "FAILED: %s\n", what);
  ++failures;
}

/* Whether a call failed with that code and id; releases the status. */
static int refused(slipway_status status, int32_t code, const char *id) {
  const int same =
      slipway_status_code(status) == code && strcmp(slipway_status_id(status), id) == 0;
  if (!same) fprintf(stderr, "%s: %s\n", slipway_status_id(status), slipway_status_message(status));
  slipway_status_release(status);
  return same;
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void sleep_ms(long ms) {
  const struct timespec some = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&some, NULL);
}

static void *cancel_soon(void *cancel) {
  sleep_ms(100);
  slipway_cancel_set((slipway_cancel *)cancel, 1);
  return NULL;
}

static slipway_value *tensor(int32_t dtype, const int64_t *dims, size_t rank) {
  slipway_value *value = NULL;
  expect(slipway_tensor_create(dtype, dims, rank, &value) == NULL, "a tensor");
  memset(slipway_tensor_data(value), 0, slipway_tensor_bytes(value));
  return value;
}

/* Options of callers that know fewer fields, or more, than the library. */
static void test_sizes(const char *path) {
  struct {
    slipway_session_options options;
    unsigned char beyond[64];
  } room;
  const size_t known = offsetof(slipway_session_options, choices_file);
  const size_t larger = sizeof(room.options) + 16;
  void (*without_size)(slipway_session_options *) = slipway_session_options_init;
  const unsigned char *const bytes = (const unsigned char *)&room;
  slipway_model *model = NULL;
  slipway_session *session = NULL;
  size_t i;

  memset(&room, 0xAA, sizeof(room));
  slipway_session_options_init_sized(&room.options, known);
  expect(room.options.struct_size == known, "the size is the caller's");
  for (i = sizeof(size_t); i < known; ++i) expect(bytes[i] == 0, "what it knows is set");
  for (; i < sizeof(room); ++i) expect(bytes[i] == 0xAA, "what it does not know is left");
  expect(slipway_model_load(path, &model) == NULL, "the model loads");
  expect(slipway_session_create(model, &room.options, &session) == NULL,
         "fields beyond the size are not read");
  slipway_session_release(session);
  slipway_model_release(model);

  memset(&room, 0xAA, sizeof(room));
  slipway_session_options_init_sized(&room.options, larger);
  expect(room.options.struct_size == larger, "a size that the library does not know yet");
  for (i = sizeof(size_t); i < larger; ++i) expect(bytes[i] == 0, "fields of tomorrow are 0");
  expect(bytes[larger] == 0xAA, "and no more is written");

  memset(&room, 0xAA, sizeof(room));
  slipway_session_options_init(&room.options);
  expect(room.options.struct_size == sizeof(room.options), "the header tells the size");
  memset(&room, 0xAA, sizeof(room));
  without_size(&room.options);
  expect(room.options.struct_size <= sizeof(room.options) && room.options.precision == 0 &&
             room.beyond[0] == 0xAA,
         "the function that is given none");
  slipway_session_options_init_sized(NULL, known);
  slipway_session_options_init_sized(&room.options, 1);
}

static void test_loop(const char *path) {
  static const char *const names[] = {"m", "start", "x"};
  const int64_t two = 2;
  slipway_model *model = NULL;
  slipway_session *session = NULL;
  slipway_cancel *cancel = NULL;
  slipway_value *outputs[2] = {NULL, NULL};
  slipway_run_options options;
  pthread_t thread;
  expect(slipway_model_load(path, &model) == NULL, "the loop loads");
  expect(slipway_session_create(model, NULL, &session) == NULL, "a session of it");
  slipway_value *trips = tensor(SLIPWAY_INT64, NULL, 0);
  slipway_value *start = tensor(SLIPWAY_FLOAT32, &two, 1);
  slipway_value *x = tensor(SLIPWAY_FLOAT32, &two, 1);
  const slipway_value *const inputs[] = {trips, start, x};
  *(int64_t *)slipway_tensor_data(trips) = (int64_t)1 << 40;

  slipway_run_options_init(&options);
  options.deadline_ms = 100;
  const double began = seconds_now();
  expect(refused(slipway_session_run_with(session, names, inputs, 3, NULL, 2, &options, outputs),
                 SLIPWAY_DEADLINE_EXCEEDED, "Run.DeadlineExceeded"),
         "a run ends at its deadline");
  expect(seconds_now() - began < 20, "soon");
  expect(outputs[0] == NULL, "no output is written");

  expect(slipway_cancel_create(&cancel) == NULL, "a cancel handle");
  options.deadline_ms = 0;
  options.cancel = cancel;
  expect(pthread_create(&thread, NULL, cancel_soon, cancel) == 0, "a thread");
  expect(refused(slipway_session_run_with(session, names, inputs, 3, NULL, 2, &options, outputs),
                 SLIPWAY_UNAVAILABLE, "Run.Cancelled"),
         "a run ends when it is cancelled");
  pthread_join(thread, NULL);
  expect(slipway_cancel_get(cancel) == 1, "it stays cancelled");
  *(int64_t *)slipway_tensor_data(trips) = 2;
  expect(refused(slipway_session_run_with(session, names, inputs, 3, NULL, 2, &options, outputs),
                 SLIPWAY_UNAVAILABLE, "Run.Cancelled"),
         "and ends those that begin");
  slipway_cancel_set(cancel, 0);
  expect(slipway_session_run_with(session, names, inputs, 3, NULL, 2, &options, outputs) == NULL,
         "until it is taken back");
  slipway_value_release(outputs[0]);
  slipway_value_release(outputs[1]);
  slipway_cancel_release(cancel);
  slipway_session_release(session);

  slipway_session_options limits;
  slipway_session_options_init(&limits);
  limits.loop_trips = 1;
  options.cancel = NULL;
  expect(slipway_session_create(model, &limits, &session) == NULL, "a session of one trip");
  expect(refused(slipway_session_run_with(session, names, inputs, 3, NULL, 2, &options, outputs),
                 SLIPWAY_RESOURCE_EXHAUSTED, "Run.TooManyTrips"),
         "a second trip is refused");
  options.deadline_ms = -1;
  expect(refused(slipway_session_run_with(session, names, inputs, 3, NULL, 2, &options, outputs),
                 SLIPWAY_INVALID_ARGUMENT, "InvalidArgument"),
         "a negative deadline is refused");
  options.struct_size = 1;
  expect(refused(slipway_session_run_with(session, names, inputs, 3, NULL, 2, &options, outputs),
                 SLIPWAY_INVALID_ARGUMENT, "InvalidArgument"),
         "options without their size are refused");
  slipway_session_release(session);
  slipway_value_release(trips);
  slipway_value_release(start);
  slipway_value_release(x);
  slipway_model_release(model);
}

static void test_memory(const char *path) {
  static const char *const names[] = {"x"};
  const int64_t small[] = {2, 2};
  const int64_t large[] = {1 << 20, 2};
  slipway_model *model = NULL;
  slipway_session *session = NULL;
  slipway_value *output = NULL;
  slipway_session_options options;
  slipway_model_options few;
  slipway_model_options_init(&few);
  few.memory_bytes = 1;
  expect(refused(slipway_model_load_with(path, &few, &model), SLIPWAY_RESOURCE_EXHAUSTED,
                 "Run.MemoryLimit"),
         "a model larger than it may be is refused");
  expect(slipway_model_load(path, &model) == NULL, "the model loads");
  slipway_session_options_init(&options);
  options.precision = 3;
  expect(
      refused(slipway_session_create(model, &options, &session), SLIPWAY_INVALID_ARGUMENT, "Usage"),
      "a precision that is not known is refused");
  options.precision = SLIPWAY_PRECISION_INT8;
  options.memory_bytes = 1 << 20;
  expect(slipway_session_create(model, &options, &session) == NULL, "a session of little memory");
  slipway_value *fits = tensor(SLIPWAY_FLOAT32, small, 2);
  slipway_value *fits_not = tensor(SLIPWAY_FLOAT32, large, 2);
  const slipway_value *input = fits_not;
  const int64_t before = slipway_session_memory(session);
  expect(refused(slipway_session_run(session, names, &input, 1, NULL, 1, &output),
                 SLIPWAY_RESOURCE_EXHAUSTED, "Run.MemoryLimit"),
         "a run beyond it is refused");
  expect(slipway_session_memory(session) <= before + 4096, "and gives back what it took");
  input = fits;
  expect(slipway_session_run(session, names, &input, 1, NULL, 1, &output) == NULL, "another runs");
  slipway_value_release(output);
  slipway_session_release(session);

  /* As a caller built against the first header has them. */
  options.struct_size = 32;
  expect(slipway_session_create(model, &options, &session) == NULL, "old options");
  input = fits_not;
  expect(slipway_session_run(session, names, &input, 1, NULL, 1, &output) == NULL,
         "have the default limit");
  slipway_value_release(output);
  slipway_session_release(session);
  options.struct_size = sizeof(options);
  options.memory_bytes = -1;
  expect(refused(slipway_session_create(model, &options, &session), SLIPWAY_INVALID_ARGUMENT,
                 "InvalidArgument"),
         "a negative limit is refused");
  options.memory_bytes = 0;
  options.tune_ms = -1;
  expect(refused(slipway_session_create(model, &options, &session), SLIPWAY_INVALID_ARGUMENT,
                 "InvalidArgument"),
         "a negative time is refused");
  options.tune_ms = 10;
  options.choices_file = path;
  expect(slipway_session_create(model, &options, &session) == NULL, "choices that are none");
  expect(strstr(slipway_session_warning(session), path) != NULL, "are a warning");
  input = fits;
  expect(slipway_session_run(session, names, &input, 1, NULL, 1, &output) == NULL, "and it runs");
  slipway_value_release(output);
  slipway_session_release(session);
  options.choices_file = NULL;
  expect(slipway_session_create(model, &options, &session) == NULL, "no choices");
  expect(slipway_session_warning(session)[0] == 0, "are no warning");
  slipway_session_release(session);
  expect(slipway_session_warning(NULL)[0] == 0, "nor is no session");
  slipway_session_release(NULL);
  slipway_value_release(fits);
  slipway_value_release(fits_not);
  slipway_model_release(model);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  test_sizes(argv[2]);
  test_loop(argv[1]);
  test_memory(argv[2]);
  slipway_cancel_set(NULL, 1);
  slipway_cancel_release(NULL);
  slipway_run_options_init(NULL);
  expect(slipway_session_memory(NULL) == 0, "no session holds no memory");
  if (failures == 0) puts("ok");
  return failures == 0 ? 0 : 1;
}
