/* SPDX-License-Identifier: Apache-2.0 */
/* Loads, runs and unloads models again and again: the process ends with the memory that it had
 * after the first rounds, in which the libraries set up what they keep for all.
 *
 *     c_cycles [--long ROUNDS] MODEL.onnx...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/slipway.h"

enum { kMostInputs = 16, kMostOutputs = 64, kMostDims = 8, kWarmUp = 20 };

static long resident_bytes(void) {
  long pages = 0;
  long resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
  if (file != NULL) fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

/* 1 where the call failed, which is said. */
static int failed(slipway_status status, const char *doing) {
  if (status == NULL) return 0;
  fprintf(stderr, "FAILED: %s: %s\n", doing, slipway_status_message(status));
  slipway_status_release(status);
  return 1;
}

/* A tensor of zeros, open dimensions taken as `open`. */
static slipway_value *zeros(const slipway_type *type, int64_t open) {
  int64_t dims[kMostDims];
  slipway_value *value = NULL;
  const int64_t rank = slipway_type_rank(type) < 0 ? 1 : slipway_type_rank(type);
  for (int64_t i = 0; i < rank && i < kMostDims; ++i) {
    dims[i] = slipway_type_dim(type, i) < 0 ? open : slipway_type_dim(type, i);
  }
  if (failed(slipway_tensor_create(slipway_type_dtype(type), dims, (size_t)rank, &value),
             "slipway_tensor_create")) {
    return NULL;
  }
  if (slipway_tensor_data(value) != NULL) {
    memset(slipway_tensor_data(value), 0, slipway_tensor_bytes(value));
  }
  return value;
}

static int run(slipway_model *model, slipway_session *session, int64_t open) {
  const char *names[kMostInputs];
  const slipway_value *inputs[kMostInputs];
  slipway_value *made[kMostInputs];
  slipway_value *outputs[kMostOutputs];
  const size_t count = slipway_model_count(model, SLIPWAY_INPUTS);
  const size_t wanted = slipway_model_count(model, SLIPWAY_OUTPUTS);
  int bad = count > kMostInputs || wanted > kMostOutputs;
  for (size_t i = 0; !bad && i < count; ++i) {
    names[i] = slipway_model_name(model, SLIPWAY_INPUTS, i);
    inputs[i] = made[i] = zeros(slipway_model_type(model, SLIPWAY_INPUTS, i), open);
  }
  if (bad) return 1;
  bad = failed(slipway_session_run(session, names, inputs, count, NULL, wanted, outputs), "run");
  for (size_t i = 0; !bad && i < wanted; ++i) slipway_value_release(outputs[i]);
  for (size_t i = 0; i < count; ++i) slipway_value_release(made[i]);
  return bad;
}

/* Load, run with two shapes, unload. */
static int cycle(const char *path) {
  slipway_model *model = NULL;
  slipway_session *session = NULL;
  slipway_session_options options;
  int bad = failed(slipway_model_load(path, &model), path);
  slipway_session_options_init(&options);
  options.threads = 1;
  if (!bad) bad = failed(slipway_session_create(model, &options, &session), path);
  if (!bad) bad = run(model, session, 1) || run(model, session, 2);
  slipway_session_release(session);
  slipway_model_release(model);
  return bad;
}

static int round_of(char **paths, int count) {
  for (int i = 0; i < count; ++i) {
    if (cycle(paths[i])) return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  long rounds = 100;
  int first = 1;
  if (argc > 2 && strcmp(argv[1], "--long") == 0) {
    rounds = strtol(argv[2], NULL, 10);
    first = 3;
  }
  if (first >= argc || rounds < 1) {
    fprintf(stderr, "c_cycles [--long ROUNDS] MODEL.onnx...\n");
    return 2;
  }
  for (int i = 0; i < kWarmUp; ++i) {
    if (round_of(argv + first, argc - first)) return 1;
  }
  const long before = resident_bytes();
  for (long i = 0; i < rounds; ++i) {
    if (round_of(argv + first, argc - first)) return 1;
  }
  const long after = resident_bytes();
  printf("%ld rounds of %d models: %ld KiB before, %ld KiB after\n", rounds, argc - first,
         before / 1024, after / 1024);
  if (before > 0 && after <= before + before / 50) return 0;
  fprintf(stderr, "FAILED: the memory grew by more than 2 %%\n");
  return 1;
}
