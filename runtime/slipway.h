/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIPWAY_SLIPWAY_H_
#define SLIPWAY_SLIPWAY_H_

#include <stddef.h>
#include <stdint.h>

/**
 * libslipway: reads ONNX models and executes them.
 *
 * Errors. A function that can fail returns a `slipway_status`: 0 (NULL) on success, else an
 * object that tells why and that the caller releases. Output arguments are written on success
 * only. No function throws, exits or prints.
 *
 * Ownership. What a function gives through an argument of type `slipway_x **` belongs to the
 * caller, who releases it with `slipway_x_release`. A `const` pointer that is returned belongs to
 * the object it was asked of and lives as long. Release functions take NULL. Objects keep alive
 * what they need: a model may be released while its sessions live.
 *
 * Threads. Models and sessions may be used by any number of threads at once. A value may be read
 * by many threads; the elements of a tensor that one thread changes must not be used by others
 * meanwhile, nor be changed after the tensor was put into a sequence or map. A status belongs to
 * one thread.
 *
 * Forks. A process may fork while no other thread of it is inside this library; the child goes on
 * with the sessions there are.
 *
 * Stability. Functions and enumerators are added, never changed or removed, while
 * `slipway_abi_version` stays the same. Option structs begin with their size, so that a caller
 * built against an older header keeps working: fields it does not know have their defaults.
 * `slipway_x_options_init` tells the library the size that the caller's header knows; where macros
 * of a header do not reach, `slipway_x_options_init_sized` is to be called.
 *
 * Text is UTF-8 and ends with a zero byte.
 */

/* NOLINTBEGIN(readability-identifier-naming): names of C */

#ifdef __cplusplus
extern "C" {
#endif

#define SLIPWAY_ABI_VERSION 1

#if defined(__GNUC__)
#define SLIPWAY_API __attribute__((visibility("default")))
#else
#define SLIPWAY_API
#endif

/** The library's SLIPWAY_ABI_VERSION. */
SLIPWAY_API uint32_t slipway_abi_version(void);
/** The library's own version, such as `0.1.0`. */
SLIPWAY_API const char *slipway_version(void);

/* ---- status ---- */

typedef struct slipway_status_object *slipway_status;

typedef enum slipway_code {
  SLIPWAY_OK = 0,
  SLIPWAY_INVALID_ARGUMENT = 1, /**< the input is wrong and stays wrong */
  SLIPWAY_NOT_FOUND = 2,        /**< a file or a name does not exist */
  SLIPWAY_ALREADY_EXISTS = 3,
  SLIPWAY_FAILED_PRECONDITION = 4,
  SLIPWAY_PERMISSION_DENIED = 5,
  SLIPWAY_UNIMPLEMENTED = 6, /**< valid, but this build cannot do it */
  SLIPWAY_UNAVAILABLE = 7,
  SLIPWAY_RESOURCE_EXHAUSTED = 8, /**< out of memory, or over a limit */
  SLIPWAY_DEADLINE_EXCEEDED = 9,
  SLIPWAY_DATA_LOSS = 10,
  SLIPWAY_INTERNAL = 11
} slipway_code;

/** SLIPWAY_OK for NULL. Later versions may give codes that are not listed here. */
SLIPWAY_API int32_t slipway_status_code(slipway_status status);
/** One line: what, why, with which value. Empty for NULL. */
SLIPWAY_API const char *slipway_status_message(slipway_status status);
/** Stable dotted name such as `Input.WrongShape`. Empty for NULL. */
SLIPWAY_API const char *slipway_status_id(slipway_status status);
/** What can be done about it; may be empty. */
SLIPWAY_API const char *slipway_status_fix(slipway_status status);
SLIPWAY_API void slipway_status_release(slipway_status status);

/** Text that the caller owns. */
SLIPWAY_API void slipway_text_release(char *text);

/* ---- types ---- */

/** Element types, numbered as TensorProto.DataType. */
typedef enum slipway_dtype {
  SLIPWAY_UNDEFINED = 0,
  SLIPWAY_FLOAT32 = 1,
  SLIPWAY_UINT8 = 2,
  SLIPWAY_INT8 = 3,
  SLIPWAY_UINT16 = 4,
  SLIPWAY_INT16 = 5,
  SLIPWAY_INT32 = 6,
  SLIPWAY_INT64 = 7,
  SLIPWAY_STRING = 8,
  SLIPWAY_BOOL = 9, /**< one byte, 0 or 1 */
  SLIPWAY_FLOAT16 = 10,
  SLIPWAY_FLOAT64 = 11,
  SLIPWAY_UINT32 = 12,
  SLIPWAY_UINT64 = 13,
  SLIPWAY_COMPLEX64 = 14, /**< real part, imaginary part */
  SLIPWAY_COMPLEX128 = 15,
  SLIPWAY_BFLOAT16 = 16,
  SLIPWAY_FLOAT8E4M3FN = 17,
  SLIPWAY_FLOAT8E4M3FNUZ = 18,
  SLIPWAY_FLOAT8E5M2 = 19,
  SLIPWAY_FLOAT8E5M2FNUZ = 20,
  SLIPWAY_UINT4 = 21, /**< 2- and 4-bit types are packed, first element in the low bits */
  SLIPWAY_INT4 = 22,
  SLIPWAY_FLOAT4E2M1 = 23,
  SLIPWAY_FLOAT8E8M0 = 24,
  SLIPWAY_UINT2 = 25,
  SLIPWAY_INT2 = 26,
  SLIPWAY_FLOAT6E2M3 = 27,
  SLIPWAY_FLOAT6E3M2 = 28
} slipway_dtype;

typedef enum slipway_kind {
  SLIPWAY_NONE = 0, /**< an empty optional */
  SLIPWAY_TENSOR = 1,
  SLIPWAY_SPARSE_TENSOR = 2, /**< of types only: values are dense */
  SLIPWAY_SEQUENCE = 3,
  SLIPWAY_MAP = 4,
  SLIPWAY_OPTIONAL = 5 /**< of types only: values are what is inside, or none */
} slipway_kind;

/** The declared type of a value. */
typedef struct slipway_type slipway_type;

SLIPWAY_API int32_t slipway_type_kind(const slipway_type *type);
/** Tensors: of the elements; maps: of the keys. */
SLIPWAY_API int32_t slipway_type_dtype(const slipway_type *type);
/** Number of dimensions, -1 where it is not declared. */
SLIPWAY_API int64_t slipway_type_rank(const slipway_type *type);
/** A dimension; -1 where it is open or there is none of that index. */
SLIPWAY_API int64_t slipway_type_dim(const slipway_type *type, int64_t index);
/** The name of an open dimension; empty where it has none. */
SLIPWAY_API const char *slipway_type_symbol(const slipway_type *type, int64_t index);
/** Sequences, maps, optionals: type of what is inside; else NULL. */
SLIPWAY_API const slipway_type *slipway_type_element(const slipway_type *type);
/** `tensor(float)`, `seq(map(int64,tensor(float)))`. */
SLIPWAY_API const char *slipway_type_text(const slipway_type *type);

/* ---- models ---- */

/** A parsed and validated model. */
typedef struct slipway_model slipway_model;

/** Reads a file; external data is looked for beside it and never outside its folder. */
SLIPWAY_API slipway_status slipway_model_load(const char *path, slipway_model **model);
/** From memory, which may be reused afterwards; a model with external data is refused. */
SLIPWAY_API slipway_status slipway_model_parse(const void *bytes, size_t size,
                                               slipway_model **model);
SLIPWAY_API void slipway_model_release(slipway_model *model);

/** What a model's file may ask for while it is read; 0: the default. */
typedef struct slipway_model_options {
  size_t struct_size;   /**< sizeof(slipway_model_options) of the caller */
  int64_t nodes;        /**< of a graph */
  int64_t depth;        /**< of graphs and functions inside one another */
  int64_t memory_bytes; /**< of the weights; by default what this process may use */
} slipway_model_options;

/** Sets the size and all defaults of options that have so many bytes, and writes no other. */
SLIPWAY_API void slipway_model_options_init_sized(slipway_model_options *options,
                                                  size_t struct_size);
/** The same for a caller that gives no size: of the fields up to `memory_bytes`. */
SLIPWAY_API void slipway_model_options_init(slipway_model_options *options);
#define slipway_model_options_init(options) \
  slipway_model_options_init_sized((options), sizeof(slipway_model_options))
/** slipway_model_load and slipway_model_parse within `options`, which may be NULL. */
SLIPWAY_API slipway_status slipway_model_load_with(const char *path,
                                                   const slipway_model_options *options,
                                                   slipway_model **model);
SLIPWAY_API slipway_status slipway_model_parse_with(const void *bytes, size_t size,
                                                    const slipway_model_options *options,
                                                    slipway_model **model);

typedef enum slipway_port {
  SLIPWAY_INPUTS = 0, /**< a caller must feed these */
  SLIPWAY_OUTPUTS = 1,
  SLIPWAY_OVERRIDABLE_INITIALIZERS = 2 /**< a caller may feed these */
} slipway_port;

/** How many of that sort there are; 0 for an unknown one. */
SLIPWAY_API size_t slipway_model_count(const slipway_model *model, int32_t port);
/** NULL where there is none of that index. */
SLIPWAY_API const char *slipway_model_name(const slipway_model *model, int32_t port, size_t index);
SLIPWAY_API const slipway_type *slipway_model_type(const slipway_model *model, int32_t port,
                                                   size_t index);

typedef enum slipway_model_text {
  SLIPWAY_PRODUCER_NAME = 0,
  SLIPWAY_PRODUCER_VERSION = 1,
  SLIPWAY_DOMAIN = 2,
  SLIPWAY_GRAPH_NAME = 3,
  SLIPWAY_DESCRIPTION = 4
} slipway_model_text;

/** What the file says of itself; empty for an unknown field. */
SLIPWAY_API const char *slipway_model_text_of(const slipway_model *model, int32_t field);
SLIPWAY_API int64_t slipway_model_version(const slipway_model *model);
SLIPWAY_API int64_t slipway_model_ir_version(const slipway_model *model);
SLIPWAY_API size_t slipway_model_metadata_count(const slipway_model *model);
/** NULL where there is none of that index. */
SLIPWAY_API const char *slipway_model_metadata_key(const slipway_model *model, size_t index);
SLIPWAY_API const char *slipway_model_metadata_value(const slipway_model *model, size_t index);
SLIPWAY_API size_t slipway_model_opset_count(const slipway_model *model);
/** Domain (empty: ai.onnx) and version of an imported operator set. */
SLIPWAY_API const char *slipway_model_opset_domain(const slipway_model *model, size_t index);
SLIPWAY_API int64_t slipway_model_opset_version(const slipway_model *model, size_t index);

/* ---- values ---- */

/** A tensor, a sequence, a map or nothing. */
typedef struct slipway_value slipway_value;

/** A tensor of its own memory, 64-byte aligned: elements not set, strings empty. */
SLIPWAY_API slipway_status slipway_tensor_create(int32_t dtype, const int64_t *dims, size_t rank,
                                                 slipway_value **value);
/**
 * A tensor over `bytes` bytes of the caller's memory, aligned for the element type; not for
 * strings. The memory must stay until `release(context)` is called, which happens when nothing
 * uses the tensor any more, possibly in another thread. Without `release` it must outlive the
 * value and everything made from it. Not called where this fails.
 */
SLIPWAY_API slipway_status slipway_tensor_wrap(int32_t dtype, const int64_t *dims, size_t rank,
                                               void *data, size_t bytes,
                                               void (*release)(void *context), void *context,
                                               slipway_value **value);
SLIPWAY_API int32_t slipway_value_kind(const slipway_value *value);
/** Element type, number of dimensions, dimensions, elements of a tensor; 0 or NULL for others. */
SLIPWAY_API int32_t slipway_tensor_dtype(const slipway_value *value);
SLIPWAY_API size_t slipway_tensor_rank(const slipway_value *value);
SLIPWAY_API const int64_t *slipway_tensor_dims(const slipway_value *value);
SLIPWAY_API int64_t slipway_tensor_size(const slipway_value *value);
/** Bytes of the elements; 0 for strings. */
SLIPWAY_API size_t slipway_tensor_bytes(const slipway_value *value);
/** The elements, row-major; NULL for strings and for what is no tensor. */
SLIPWAY_API void *slipway_tensor_data(slipway_value *value);
SLIPWAY_API const void *slipway_tensor_const_data(const slipway_value *value);
/** A string element; need not end where its first zero byte is. NULL if there is none. */
SLIPWAY_API const char *slipway_tensor_string(const slipway_value *value, int64_t index,
                                              size_t *length);
SLIPWAY_API slipway_status slipway_tensor_set_string(slipway_value *value, int64_t index,
                                                     const char *text, size_t length);

/** A sequence of the items, which stay the caller's. */
SLIPWAY_API slipway_status slipway_sequence_create(const slipway_value *const *items, size_t count,
                                                   slipway_value **value);
/** A map from the elements of `keys`, a tensor [count] of integers or strings, to the items. */
SLIPWAY_API slipway_status slipway_map_create(const slipway_value *keys,
                                              const slipway_value *const *items, size_t count,
                                              slipway_value **value);
/** The value of an empty optional. */
SLIPWAY_API slipway_status slipway_none_create(slipway_value **value);
/** Items of a sequence or map; 0 for others. */
SLIPWAY_API size_t slipway_value_count(const slipway_value *value);
/** An item of a sequence or map, sharing its elements. */
SLIPWAY_API slipway_status slipway_value_item(const slipway_value *value, size_t index,
                                              slipway_value **item);
/** The keys of a map, a tensor. */
SLIPWAY_API slipway_status slipway_map_keys(const slipway_value *value, slipway_value **keys);
/**
 * The items of a map as one tensor [count], where all of them are tensors of one element of one
 * type. SLIPWAY_FAILED_PRECONDITION where they are not: ask for them one by one.
 */
SLIPWAY_API slipway_status slipway_map_items(const slipway_value *value, slipway_value **items);
/**
 * The maps of a sequence as two tensors: their keys [count], which all of them share, and their
 * items [maps, count]. SLIPWAY_FAILED_PRECONDITION where keys differ, an item is not one element of
 * the type of the others, or an item of the sequence is no map: ask for them one by one.
 */
SLIPWAY_API slipway_status slipway_sequence_maps(const slipway_value *value, slipway_value **keys,
                                                 slipway_value **items);
SLIPWAY_API void slipway_value_release(slipway_value *value);

/**
 * Sets all elements of a string tensor at once: element i is what lies in `text` from
 * `offsets[i]` to `offsets[i + 1]`; there is one offset more than there are elements.
 */
SLIPWAY_API slipway_status slipway_tensor_set_strings(slipway_value *value, const char *text,
                                                      const int64_t *offsets);
/**
 * The elements of a string tensor one after the other in `text`, which the caller releases with
 * slipway_text_release, and where each begins; `offsets` has room for one more than there are
 * elements.
 */
SLIPWAY_API slipway_status slipway_tensor_get_strings(const slipway_value *value, char **text,
                                                      int64_t *offsets);

/** A value and where its elements lie: many facts in one call, for bindings of other languages. */
typedef struct slipway_view {
  slipway_value *value;
  void *data; /**< of a tensor of no strings, else NULL */
  const int64_t *dims;
  size_t rank;
  size_t bytes;
  int32_t kind;    /**< slipway_kind */
  int32_t dtype;   /**< slipway_dtype */
  int64_t head[6]; /**< of what is described: the first dimensions once more, then zeros */
} slipway_view;

/** Describes `value`, which stays the caller's; what it points to lives as long as the value. */
SLIPWAY_API void slipway_value_view(slipway_value *value, slipway_view *view);

/* ---- sessions ---- */

/**
 * Ends calls that were given it before they are done, also inside nodes that take long. Any thread
 * may set it at any time. It must not be released while a call that was given it goes on.
 */
typedef struct slipway_cancel slipway_cancel;

SLIPWAY_API slipway_status slipway_cancel_create(slipway_cancel **cancel);
/**
 * 1: calls that were given it fail some tens of milliseconds later, with SLIPWAY_UNAVAILABLE and
 * `Run.Cancelled`, and those that begin do at once; 0: those that begin run again.
 */
SLIPWAY_API void slipway_cancel_set(slipway_cancel *cancel, int32_t cancelled);
/** What was set last. */
SLIPWAY_API int32_t slipway_cancel_get(const slipway_cancel *cancel);
SLIPWAY_API void slipway_cancel_release(slipway_cancel *cancel);

typedef enum slipway_device { SLIPWAY_CPU = 0, SLIPWAY_CUDA = 1 } slipway_device;

/** What numbers are rounded to before they are multiplied. */
typedef enum slipway_precision {
  SLIPWAY_PRECISION_FP32 = 0,
  SLIPWAY_PRECISION_BF16 = 1, /**< sums are of float32 */
  /** 8 bits of the largest number of an output channel, a row or an image; sums are exact. */
  SLIPWAY_PRECISION_INT8 = 2
} slipway_precision;

typedef struct slipway_session_options {
  size_t struct_size; /**< sizeof(slipway_session_options) of the caller */
  int32_t device;     /**< slipway_device; SLIPWAY_CPU */
  int32_t threads;    /**< for one run; 0: one per core this process may use */
  int32_t no_passes;  /**< 1: the graph is run as it is written */
  int32_t reference;  /**< 1: only plain reference kernels, for comparison */
  int32_t profile;    /**< 1: keep the time each node took */
  /**
   * 1: nothing whose rounding errors are larger than those of plain sums in float32, and 16-bit
   * floats rounded at every node.
   */
  int32_t strict_accuracy;
  /**
   * Bytes of all that the session allocates and has not given back: weights (the model's while
   * they are in memory, and packed ones), working memory, values; runs at the same time share it.
   * Inputs are the caller's, and outputs once they are returned. Packed weights, and those of a
   * file, that sessions of a model share count for one of them. Beyond it calls fail with
   * SLIPWAY_RESOURCE_EXHAUSTED and `Run.MemoryLimit`. 0: what this process may use.
   */
  int64_t memory_bytes;
  int64_t tensor_bytes;   /**< of one tensor; 0: the default */
  int64_t string_bytes;   /**< of one tensor's text; 0: the default */
  int64_t loop_trips;     /**< runs of graphs inside nodes, in one run; 0: the default */
  int64_t deadline_ms;    /**< to make the session, from the call on; 0: any */
  slipway_cancel *cancel; /**< ends the call that makes the session; may be NULL */
  /**
   * A file in which choices of kernels are kept, by processor and kind of node. What it names is
   * taken where it can serve; the same choices give the same bits. NULL, or no such file: kernels
   * follow from shapes and the kind of processor alone. A file that cannot be read is left out:
   * slipway_session_warning tells why.
   */
  const char *choices_file;
  /**
   * Milliseconds for measuring which kernels are the quickest here, while the session is made and
   * when inputs of other shapes come; 0: none. What is measured is added to choices_file.
   */
  int64_t tune_ms;
  /**
   * slipway_precision: in what products of weights (Conv, MatMul, Gemm) are computed, where that
   * gains and the processor has instructions for it: slipway_session_warning tells where it has
   * none. Inputs and outputs stay as they are.
   */
  int32_t precision;
} slipway_session_options;

/** Sets the size and all defaults of options that have so many bytes, and writes no other. */
SLIPWAY_API void slipway_session_options_init_sized(slipway_session_options *options,
                                                    size_t struct_size);
/** The same for a caller that gives no size: of the fields up to `precision`. */
SLIPWAY_API void slipway_session_options_init(slipway_session_options *options);
#define slipway_session_options_init(options) \
  slipway_session_options_init_sized((options), sizeof(slipway_session_options))

/** A model made ready to run. */
typedef struct slipway_session slipway_session;

/** `options` may be NULL. */
SLIPWAY_API slipway_status slipway_session_create(const slipway_model *model,
                                                  const slipway_session_options *options,
                                                  slipway_session **session);
/**
 * One inference. Inputs are given by name, in any order, and stay the caller's. `outputs` has
 * room for `output_count` values, in the order of `output_names`; where that is NULL, these are
 * all of the model's outputs, and `output_count` must be their number. On failure no output is
 * written.
 */
SLIPWAY_API slipway_status slipway_session_run(slipway_session *session,
                                               const char *const *input_names,
                                               const slipway_value *const *inputs,
                                               size_t input_count, const char *const *output_names,
                                               size_t output_count, slipway_value **outputs);
/**
 * slipway_session_run over views. An input is its `value`, or where that is NULL a tensor over
 * the caller's memory, which is only read and only until the call returns. Outputs are written
 * whole, each with a value that the caller releases.
 */
SLIPWAY_API slipway_status slipway_session_run_views(slipway_session *session,
                                                     const char *const *input_names,
                                                     const slipway_view *inputs, size_t input_count,
                                                     const char *const *output_names,
                                                     size_t output_count, slipway_view *outputs);
/** How one inference is run. */
typedef struct slipway_run_options {
  size_t struct_size; /**< sizeof(slipway_run_options) of the caller */
  /**
   * From the call on; 0: any. A run that takes longer fails some tens of milliseconds after, with
   * SLIPWAY_DEADLINE_EXCEEDED and `Run.DeadlineExceeded`, inside loops and long nodes too.
   */
  int64_t deadline_ms;
  slipway_cancel *cancel; /**< may be NULL */
} slipway_run_options;

/** Sets the size and all defaults of options that have so many bytes, and writes no other. */
SLIPWAY_API void slipway_run_options_init_sized(slipway_run_options *options, size_t struct_size);
/** The same for a caller that gives no size: of the fields up to `cancel`. */
SLIPWAY_API void slipway_run_options_init(slipway_run_options *options);
#define slipway_run_options_init(options) \
  slipway_run_options_init_sized((options), sizeof(slipway_run_options))
/** slipway_session_run within `options`, which may be NULL. */
SLIPWAY_API slipway_status slipway_session_run_with(
    slipway_session *session, const char *const *input_names, const slipway_value *const *inputs,
    size_t input_count, const char *const *output_names, size_t output_count,
    const slipway_run_options *options, slipway_value **outputs);
/** slipway_session_run_views within `options`, which may be NULL. */
SLIPWAY_API slipway_status slipway_session_run_views_with(
    slipway_session *session, const char *const *input_names, const slipway_view *inputs,
    size_t input_count, const char *const *output_names, size_t output_count,
    const slipway_run_options *options, slipway_view *outputs);
/**
 * slipway_session_run_views_with, with outputs where the caller wants them. A view in `outputs`
 * whose `kind` is SLIPWAY_TENSOR names memory, as an input's does: its `data` of `bytes` bytes,
 * `dtype`, `dims` and `rank`. The output is written there, and the view stays as it is; it must be
 * of that type and shape. A view of another kind is written whole, with a value that the caller
 * releases. The memory may be that of an input, whole: operators that add to a cache of keys and
 * values then change it in place, without a copy. On failure no view is written, but the memory may
 * hold a part of the outputs.
 */
SLIPWAY_API slipway_status slipway_session_run_into(
    slipway_session *session, const char *const *input_names, const slipway_view *inputs,
    size_t input_count, const char *const *output_names, size_t output_count,
    const slipway_run_options *options, slipway_view *outputs);
/** Bytes that count towards slipway_session_options.memory_bytes now. */
SLIPWAY_API int64_t slipway_session_memory(const slipway_session *session);
/** One line where choices_file could not be read or written at creation, else empty. */
SLIPWAY_API const char *slipway_session_warning(const slipway_session *session);
/** Per node the kernel chosen and those passed over, for inputs like these; for people. */
SLIPWAY_API slipway_status slipway_session_explain(slipway_session *session,
                                                   const char *const *input_names,
                                                   const slipway_value *const *inputs,
                                                   size_t input_count, char **text);
/**
 * What each node took so far, where slipway_session_options.profile was set: a JSON list of
 * `{"node", "op_type", "kernel", "runs", "total_ms", "best_ms", "last_start_ms", "last_ms",
 * "flops"}`, the slowest first. Floating-point operations are those of one run, 0 where they are
 * not known; the last run's start is on a clock that all nodes share.
 */
SLIPWAY_API slipway_status slipway_session_profile(slipway_session *session, char **json);
/** Writes what was measured since to slipway_session_options.choices_file. */
SLIPWAY_API void slipway_session_release(slipway_session *session);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(readability-identifier-naming) */

#endif /* SLIPWAY_SLIPWAY_H_ */
