/* SPDX-License-Identifier: Apache-2.0 */
/* How a C program uses libslipway: loads a model, feeds ones, prints each output.
 *
 *     c_example MODEL.onnx
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/slipway.h"

enum { kMostPorts = 16, kMostRank = 8 };

/* Prints why `status` failed and ends the program, or does nothing. */
static void check(slipway_status status, const char *doing) {
  if (status == NULL) return;
  fprintf(stderr, "%s: %s (%s)\n", doing, slipway_status_message(status),
          slipway_status_id(status));
  slipway_status_release(status);
  exit(1);
}

static void give_back(void *context) { ++*(int *)context; }

/* A tensor of ones as the input wants it; open dimensions are 2. */
static slipway_value *make_input(const slipway_model *model, size_t index, float **memory,
                                 int *released) {
  const slipway_type *type = slipway_model_type(model, SLIPWAY_INPUTS, index);
  const int64_t rank = slipway_type_rank(type);
  int64_t dims[kMostRank];
  size_t count = 1;
  int64_t i;
  slipway_value *value = NULL;
  if (slipway_type_dtype(type) != SLIPWAY_FLOAT32 || rank < 0 || rank > kMostRank) {
    fprintf(stderr, "input %s is %s\n", slipway_model_name(model, SLIPWAY_INPUTS, index),
            slipway_type_text(type));
    exit(1);
  }
  for (i = 0; i < rank; ++i) {
    dims[i] = slipway_type_dim(type, i) < 0 ? 2 : slipway_type_dim(type, i);
    count *= (size_t)dims[i];
  }
  *memory = malloc(count * sizeof(float));
  if (*memory == NULL) exit(1);
  for (i = 0; i < (int64_t)count; ++i) (*memory)[i] = 1.0F;
  check(slipway_tensor_wrap(SLIPWAY_FLOAT32, dims, (size_t)rank, *memory, count * sizeof(float),
                            give_back, released, &value),
        "making an input");
  return value;
}

static void print_output(const char *name, const slipway_value *value) {
  const float *data = slipway_tensor_const_data(value);
  const int64_t size = slipway_tensor_size(value);
  size_t d;
  int64_t i;
  printf("%s [", name);
  for (d = 0; d < slipway_tensor_rank(value); ++d) {
    printf("%s%" PRId64, d == 0 ? "" : ",", slipway_tensor_dims(value)[d]);
  }
  printf("]");
  for (i = 0; i < size && i < 4; ++i) printf(" %g", (double)data[i]);
  printf("\n");
}

/* Calls that must fail, and say why. */
static int check_errors(slipway_session *session, const char *output_name) {
  slipway_value *output = NULL;
  slipway_model *model = NULL;
  slipway_status status = slipway_session_run(session, NULL, NULL, 0, &output_name, 1, &output);
  int failed = slipway_status_code(status) != SLIPWAY_INVALID_ARGUMENT ||
               strcmp(slipway_status_id(status), "Input.Missing") != 0 || output != NULL;
  slipway_status_release(status);
  status = slipway_model_parse("no model", 8, &model);
  failed |= slipway_status_code(status) != SLIPWAY_INVALID_ARGUMENT || model != NULL;
  slipway_status_release(status);
  status = slipway_model_load(NULL, &model);
  failed |= slipway_status_code(status) != SLIPWAY_INVALID_ARGUMENT;
  slipway_status_release(status);
  return failed;
}

/* Strings, sequences and maps that are made and read back. */
static int check_values(void) {
  const int64_t two = 2;
  const slipway_value *items[2];
  slipway_value *words = NULL, *map = NULL, *list = NULL, *item = NULL, *keys = NULL;
  size_t length = 0;
  int failed;
  check(slipway_tensor_create(SLIPWAY_STRING, &two, 1, &words), "strings");
  check(slipway_tensor_set_string(words, 1, "b\0c", 3), "a string");
  failed = memcmp(slipway_tensor_string(words, 1, &length), "b\0c", 4) != 0 || length != 3;
  items[0] = words;
  items[1] = words;
  check(slipway_map_create(words, items, 2, &map), "a map");
  items[1] = map;
  check(slipway_sequence_create(items, 2, &list), "a sequence");
  slipway_value_release(words);
  slipway_value_release(map);
  check(slipway_value_item(list, 1, &item), "an item");
  check(slipway_map_keys(item, &keys), "keys");
  failed |= slipway_value_kind(list) != SLIPWAY_SEQUENCE || slipway_value_count(list) != 2 ||
            slipway_value_kind(item) != SLIPWAY_MAP || slipway_tensor_size(keys) != 2;
  slipway_value_release(list);
  slipway_value_release(item);
  slipway_value_release(keys);
  return failed;
}

int main(int argc, char **argv) {
  slipway_model *model = NULL;
  slipway_session *session = NULL;
  slipway_session_options options;
  slipway_value *inputs[kMostPorts], *outputs[kMostPorts];
  const char *names[kMostPorts];
  float *memory[kMostPorts];
  size_t input_count, output_count, i;
  int released = 0, failed;
  if (argc != 2 || slipway_abi_version() != SLIPWAY_ABI_VERSION) return 2;
  check(slipway_model_load(argv[1], &model), "loading");
  input_count = slipway_model_count(model, SLIPWAY_INPUTS);
  output_count = slipway_model_count(model, SLIPWAY_OUTPUTS);
  if (input_count > kMostPorts || output_count > kMostPorts) return 2;
  slipway_session_options_init(&options);
  options.threads = 1;
  check(slipway_session_create(model, &options, &session), "making a session");
  for (i = 0; i < input_count; ++i) {
    names[i] = slipway_model_name(model, SLIPWAY_INPUTS, i);
    inputs[i] = make_input(model, i, &memory[i], &released);
  }
  check(slipway_session_run(session, names, (const slipway_value *const *)inputs, input_count, NULL,
                            output_count, outputs),
        "running");
  for (i = 0; i < output_count; ++i) {
    print_output(slipway_model_name(model, SLIPWAY_OUTPUTS, i), outputs[i]);
    slipway_value_release(outputs[i]);
  }
  failed = check_errors(session, slipway_model_name(model, SLIPWAY_OUTPUTS, 0)) | check_values();
  slipway_model_release(model);
  slipway_session_release(session);
  for (i = 0; i < input_count; ++i) {
    slipway_value_release(inputs[i]);
    free(memory[i]);
  }
  if (released != (int)input_count) return 3;
  return failed;
}
