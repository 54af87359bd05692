/* SPDX-License-Identifier: Apache-2.0 */
/* The functions for bindings of other languages: views, text at once, maps at once.
 *
 *     c_views MODEL.onnx     (one that adds to its one input)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/slipway.h"

static int failures = 0;

static void expect(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "FAILED: %s\n", what);
  ++failures;
}

/* Whether a call failed with that code; releases the status. */
static int refused(slipway_status status, int32_t code) {
  const int same = slipway_status_code(status) == code && *slipway_status_message(status) != '\0';
  slipway_status_release(status);
  return same;
}

static void test_strings(void) {
  const int64_t dims[] = {3};
  const int64_t offsets[] = {0, 2, 2, 5};
  const int64_t falling[] = {0, 2, 1, 5};
  int64_t back[4] = {9, 9, 9, 9};
  char *text = NULL;
  slipway_value *value = NULL;
  slipway_value *number = NULL;
  expect(slipway_tensor_create(SLIPWAY_STRING, dims, 1, &value) == NULL, "a string tensor");
  expect(slipway_tensor_create(SLIPWAY_INT64, dims, 1, &number) == NULL, "an integer tensor");
  expect(slipway_tensor_set_strings(value, "abc\0d", offsets) == NULL, "set strings");
  expect(slipway_tensor_get_strings(value, &text, back) == NULL, "get strings");
  expect(memcmp(back, offsets, sizeof(back)) == 0 && memcmp(text, "abc\0d", 6) == 0,
         "same strings");
  slipway_text_release(text);
  expect(refused(slipway_tensor_set_strings(value, "abcde", falling), SLIPWAY_INVALID_ARGUMENT),
         "falling offsets");
  expect(refused(slipway_tensor_set_strings(value, NULL, offsets), SLIPWAY_INVALID_ARGUMENT),
         "no text");
  expect(refused(slipway_tensor_set_strings(number, "abcde", offsets), SLIPWAY_INVALID_ARGUMENT),
         "text for numbers");
  expect(refused(slipway_tensor_get_strings(NULL, &text, back), SLIPWAY_INVALID_ARGUMENT),
         "text of nothing");
  slipway_value_release(value);
  slipway_value_release(number);
}

static slipway_value *scalar(double number) {
  slipway_value *value = NULL;
  expect(slipway_tensor_create(SLIPWAY_FLOAT64, NULL, 0, &value) == NULL, "a scalar");
  *(double *)slipway_tensor_data(value) = number;
  return value;
}

static void test_map_items(void) {
  const int64_t two[] = {2};
  slipway_value *keys = NULL;
  slipway_value *items[2];
  slipway_value *map = NULL;
  slipway_value *all = NULL;
  slipway_value *mixed = NULL;
  expect(slipway_tensor_create(SLIPWAY_INT64, two, 1, &keys) == NULL, "keys");
  ((int64_t *)slipway_tensor_data(keys))[0] = 4;
  ((int64_t *)slipway_tensor_data(keys))[1] = 2;
  items[0] = scalar(0.5);
  items[1] = scalar(0.25);
  expect(slipway_map_create(keys, (const slipway_value *const *)items, 2, &map) == NULL, "a map");
  expect(slipway_map_items(map, &all) == NULL && slipway_tensor_size(all) == 2 &&
             ((const double *)slipway_tensor_const_data(all))[1] == 0.25,
         "its items");
  slipway_value_release(items[1]);
  items[1] = keys;
  expect(slipway_map_create(keys, (const slipway_value *const *)items, 2, &mixed) == NULL, "mixed");
  slipway_value_release(all);
  all = NULL;
  expect(refused(slipway_map_items(mixed, &all), SLIPWAY_FAILED_PRECONDITION) && all == NULL,
         "items of several types");
  expect(refused(slipway_map_items(keys, &all), SLIPWAY_INVALID_ARGUMENT), "items of a tensor");
  slipway_value_release(mixed);
  slipway_value_release(map);
  slipway_value_release(items[0]);
  slipway_value_release(keys);
}

static void describe(const slipway_model *model, size_t index, float *memory, slipway_view *view,
                     int64_t *dims) {
  const slipway_type *type = slipway_model_type(model, SLIPWAY_INPUTS, index);
  int64_t i;
  memset(view, 0, sizeof(*view));
  view->dtype = slipway_type_dtype(type);
  view->rank = (size_t)slipway_type_rank(type);
  view->dims = dims;
  view->data = memory;
  view->bytes = sizeof(float);
  for (i = 0; i < slipway_type_rank(type); ++i) {
    dims[i] = slipway_type_dim(type, i) < 0 ? 1 : slipway_type_dim(type, i);
    view->bytes *= (size_t)dims[i];
  }
}

/* Outputs in memory of ours: an output's view that names memory stays as it is. */
static void test_run_into(slipway_session *session, const char *name, const slipway_view *input) {
  static float room[4096];
  float *const memory = (float *)input->data;
  const float first = memory[0];
  slipway_view made;
  slipway_view output = *input;
  slipway_view kept;
  expect(slipway_session_run_views(session, &name, input, 1, NULL, 1, &made) == NULL, "run");
  output.kind = SLIPWAY_TENSOR;
  output.data = room;
  kept = output;
  expect(slipway_session_run_into(session, &name, input, 1, NULL, 1, NULL, &output) == NULL,
         "into");
  expect(memcmp(&output, &kept, sizeof(kept)) == 0, "a view that stays");
  expect(memcmp(room, made.data, made.bytes) == 0, "the same output");
  output.data = memory;
  expect(slipway_session_run_into(session, &name, input, 1, NULL, 1, NULL, &output) == NULL,
         "into the input");
  expect(memcmp(memory, made.data, made.bytes) == 0, "the same output there");
  memory[0] = first;
  slipway_value_release(made.value);
  output.bytes -= 1;
  expect(refused(slipway_session_run_into(session, &name, input, 1, NULL, 1, NULL, &output),
                 SLIPWAY_INVALID_ARGUMENT),
         "too little memory");
  output = kept;
  output.dtype = SLIPWAY_INT32;
  expect(refused(slipway_session_run_into(session, &name, input, 1, NULL, 1, NULL, &output),
                 SLIPWAY_INVALID_ARGUMENT),
         "memory of another type");
  expect(refused(slipway_session_run_into(session, &name, input, 1, NULL, 1, NULL, NULL),
                 SLIPWAY_INVALID_ARGUMENT),
         "no views");
  memset(&made, 0, sizeof(made));
  expect(slipway_session_run_into(session, &name, input, 1, NULL, 1, NULL, &made) == NULL &&
             made.value != NULL && made.bytes == input->bytes,
         "a value of its own");
  slipway_value_release(made.value);
}

static void test_runs(const char *path) {
  static float memory[4096];
  int64_t dims[8];
  slipway_view input;
  slipway_view output;
  slipway_value *value = NULL;
  slipway_value *other = NULL;
  slipway_session_options options;
  const char *name;
  slipway_model *model = NULL;
  slipway_session *session = NULL;
  char *json = NULL;
  size_t i;
  slipway_session_options_init(&options);
  options.profile = 1;
  expect(slipway_model_load(path, &model) == NULL, "load");
  expect(slipway_session_create(model, &options, &session) == NULL, "create");
  for (i = 0; i < 4096; ++i) memory[i] = (float)i;
  name = slipway_model_name(model, SLIPWAY_INPUTS, 0);
  describe(model, 0, memory, &input, dims);
  expect(slipway_session_run_views(session, &name, &input, 1, NULL, 1, &output) == NULL, "run");
  expect(output.kind == SLIPWAY_TENSOR && output.value != NULL && output.bytes == input.bytes,
         "an output");
  expect(output.rank == input.rank && memcmp(output.head, dims, output.rank * sizeof(*dims)) == 0 &&
             output.head[5] == 0,
         "its dimensions");
  expect(slipway_tensor_wrap(input.dtype, input.dims, input.rank, memory, input.bytes, NULL, NULL,
                             &value) == NULL,
         "wrap");
  expect(slipway_session_run(session, &name, (const slipway_value *const *)&value, 1, NULL, 1,
                             &other) == NULL,
         "run over values");
  expect(memcmp(slipway_tensor_const_data(other), output.data, output.bytes) == 0, "one answer");
  slipway_value_release(output.value);
  slipway_value_release(other);
  memset(&input, 0, sizeof(input));
  input.value = value;
  expect(slipway_session_run_views(session, &name, &input, 1, NULL, 1, &output) == NULL, "mixed");
  slipway_value_release(output.value);
  slipway_value_release(value);
  describe(model, 0, memory, &input, dims);
  input.bytes -= 1;
  output.value = NULL;
  expect(refused(slipway_session_run_views(session, &name, &input, 1, NULL, 1, &output),
                 SLIPWAY_INVALID_ARGUMENT) &&
             output.value == NULL,
         "too few bytes");
  expect(refused(slipway_session_run_views(session, &name, NULL, 1, NULL, 1, &output),
                 SLIPWAY_INVALID_ARGUMENT),
         "no inputs");
  expect(refused(slipway_session_run_views(NULL, &name, &input, 1, NULL, 1, &output),
                 SLIPWAY_INVALID_ARGUMENT),
         "no session");
  expect(slipway_session_profile(session, &json) == NULL && strstr(json, "\"runs\":3") != NULL,
         "a profile");
  slipway_text_release(json);
  describe(model, 0, memory, &input, dims);
  test_run_into(session, name, &input);
  slipway_session_release(session);
  slipway_model_release(model);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  test_strings();
  test_map_items();
  test_runs(argv[1]);
  return failures == 0 ? 0 : 1;
}
