/*
 * What JavaScript sees of the kernel: see ../kernel.ts. Nothing is copied, and no number or length is believed: whatever
 * does not fit throws RangeError before a byte beyond it is touched.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdlib.h>

#include "crc32.h"
#include "products.h"
#include "scan.h"
#include "sha3.h"
#include "xor.h"

#define MAX_CHUNK_BYTES (1u << 24)
/* Of products: more could not be told apart by the elements of the field. */
#define MAX_ROWS 256

/* An array's elements, valid until the call returns. What is detached has none. */
struct array {
  void *data;
  size_t length;
};

static bool get_array(napi_env env, napi_value value, napi_typedarray_type wanted, struct array *array) {
  napi_typedarray_type type;
  bool is_typed_array = false;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array) return false;
  if (napi_get_typedarray_info(env, value, &type, &array->length, &array->data, NULL, NULL) != napi_ok) return false;
  if (!array->data) array->length = 0;
  return type == wanted;
}

/* A whole number from 0 to 2^32 - 1. */
static bool get_u32(napi_env env, napi_value value, size_t *number) {
  double given;
  if (napi_get_value_double(env, value, &given) != napi_ok) return false;
  if (!(given >= 0 && given <= UINT32_MAX)) return false;
  *number = (size_t)given;
  return (double)*number == given;
}

static napi_value refuse(napi_env env, const char *why) {
  napi_throw_range_error(env, NULL, why);
  return NULL;
}

static bool get_arguments(napi_env env, napi_callback_info info, napi_value arguments[6], void **data) {
  size_t count = 6; /* those that were not given are `undefined` */
  return napi_get_cb_info(env, info, &count, arguments, NULL, data) == napi_ok;
}

/* findCuts(bytes, start, end, last, ends: Uint32Array, scanner: BigUint64Array): number of ends */
static napi_value js_find_cuts(napi_env env, napi_callback_info info) {
  napi_value arguments[6], result;
  struct array bytes, ends, words;
  size_t start, end;
  bool last;
  if (!get_arguments(env, info, arguments, NULL)) return refuse(env, "arguments out of reach");
  if (!get_array(env, arguments[0], napi_uint8_array, &bytes)) return refuse(env, "bytes must be a Uint8Array");
  if (!get_array(env, arguments[4], napi_uint32_array, &ends)) return refuse(env, "ends must be a Uint32Array");
  if (!get_array(env, arguments[5], napi_biguint64_array, &words) || words.length * 8 != sizeof(struct scanner))
    return refuse(env, "scanner must be a BigUint64Array of 261");
  if (napi_get_value_bool(env, arguments[3], &last) != napi_ok) return refuse(env, "last must be a boolean");
  if (!get_u32(env, arguments[1], &start) || !get_u32(env, arguments[2], &end) || start > end || end > bytes.length)
    return refuse(env, "start and end must be offsets into bytes");
  const struct scanner scanner = *(const struct scanner *)words.data;
  if (!(scanner.min_bytes > 0 && scanner.min_bytes <= scanner.average_bytes &&
        scanner.average_bytes <= scanner.max_bytes && scanner.max_bytes <= MAX_CHUNK_BYTES))
    return refuse(env, "scanner has impossible sizes of chunks");

  const size_t count = find_cuts(bytes.data, start, end, last, ends.data, ends.length, &scanner);
  if (count == NO_ROOM) return refuse(env, "no room for all ends");
  return napi_create_double(env, (double)count, &result) == napi_ok ? result : NULL;
}

/* So many messages are sorted at a time. */
#define BATCH 256

static int longest_first(const void *a, const void *b) {
  const size_t left = ((const struct message *)a)->length, right = ((const struct message *)b)->length;
  return (left < right) - (left > right);
}

/* hashChunks(bytes, start, ends: Uint32Array, count, ids, idsOffset), with the implementation that `data` points to */
static napi_value js_hash_chunks(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  void *data;
  struct array bytes, ends, ids;
  size_t start, count, ids_offset;
  if (!get_arguments(env, info, arguments, &data)) return refuse(env, "arguments out of reach");
  if (!get_array(env, arguments[0], napi_uint8_array, &bytes)) return refuse(env, "bytes must be a Uint8Array");
  if (!get_array(env, arguments[2], napi_uint32_array, &ends)) return refuse(env, "ends must be a Uint32Array");
  if (!get_array(env, arguments[4], napi_uint8_array, &ids)) return refuse(env, "ids must be a Uint8Array");
  if (!get_u32(env, arguments[1], &start) || start > bytes.length) return refuse(env, "start must be an offset into bytes");
  if (!get_u32(env, arguments[3], &count) || count > ends.length) return refuse(env, "count must be at most that of ends");
  if (!get_u32(env, arguments[5], &ids_offset) || ids_offset > ids.length || count > (ids.length - ids_offset) / ID_BYTES)
    return refuse(env, "no room for the ids");

  const struct sha3_implementation *implementation = data;
  struct message messages[BATCH];
  const uint8_t *base = bytes.data;
  uint8_t *id = (uint8_t *)ids.data + ids_offset;
  size_t from = start;
  for (size_t done = 0; done < count;) {
    size_t batch = 0;
    for (; batch < BATCH && done < count; batch++, done++, id += ID_BYTES) {
      const size_t end = ((const volatile uint32_t *)ends.data)[done]; /* once: another thread may share it */
      if (from > end || end > bytes.length) return refuse(env, "ends must grow and lie within bytes");
      messages[batch] = (struct message){base + from, end - from, id};
      from = end;
    }
    qsort(messages, batch, sizeof messages[0], longest_first);
    implementation->hash(messages, batch);
  }
  return NULL;
}

/* applyXorKey(bytes, key, target): target may be bytes */
static napi_value js_apply_xor_key(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  struct array bytes, key, target;
  if (!get_arguments(env, info, arguments, NULL)) return refuse(env, "arguments out of reach");
  if (!get_array(env, arguments[0], napi_uint8_array, &bytes)) return refuse(env, "bytes must be a Uint8Array");
  if (!get_array(env, arguments[1], napi_uint8_array, &key) || key.length != XOR_KEY_BYTES)
    return refuse(env, "key must be a Uint8Array of 8");
  if (!get_array(env, arguments[2], napi_uint8_array, &target) || target.length < bytes.length)
    return refuse(env, "no room for the bytes");

  apply_xor_key(bytes.data, bytes.length, key.data, target.data);
  return NULL;
}

/* addProducts(coefficients, sources, targets, length), with the implementation that `data` points to */
static napi_value js_add_products(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  void *data;
  struct array coefficients, sources, targets;
  size_t length;
  if (!get_arguments(env, info, arguments, &data)) return refuse(env, "arguments out of reach");
  if (!get_array(env, arguments[0], napi_uint8_array, &coefficients) ||
      !get_array(env, arguments[1], napi_uint8_array, &sources) ||
      !get_array(env, arguments[2], napi_uint8_array, &targets))
    return refuse(env, "coefficients, sources and targets must be Uint8Arrays");
  if (!get_u32(env, arguments[3], &length) || length == 0 || sources.length % length != 0 || targets.length % length != 0)
    return refuse(env, "sources and targets must be rows of so many bytes");
  const size_t source_count = sources.length / length, target_count = targets.length / length;
  if (source_count > MAX_ROWS || target_count > MAX_ROWS || coefficients.length != source_count * target_count)
    return refuse(env, "there must be a coefficient for each source and target");

  const struct products_implementation *implementation = data;
  const struct products products = {coefficients.data, sources.data, source_count, targets.data, target_count, length};
  implementation->add(&products, 0);
  return NULL;
}

/* crc32(bytes): number, by the function that `data` is */
static napi_value js_crc32(napi_env env, napi_callback_info info) {
  napi_value arguments[6], result;
  void *data;
  struct array bytes;
  if (!get_arguments(env, info, arguments, &data)) return refuse(env, "arguments out of reach");
  if (!get_array(env, arguments[0], napi_uint8_array, &bytes)) return refuse(env, "bytes must be a Uint8Array");
  const uint32_t crc = ((crc32_function)data)(bytes.data, bytes.length);
  return napi_create_uint32(env, crc, &result) == napi_ok ? result : NULL;
}

static bool add_function(napi_env env, napi_value object, const char *name, napi_callback callback, const void *data) {
  napi_value function;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, (void *)data, &function) == napi_ok &&
         napi_set_named_property(env, object, name, function) == napi_ok;
}

static bool add_object(napi_env env, napi_value object, const char *name, napi_value *added) {
  return napi_create_object(env, added) == napi_ok && napi_set_named_property(env, object, name, *added) == napi_ok;
}

/*
 * { findCuts, applyXorKey, crc32?, hashChunks: { avx512?, avx2?, neon?, portable }, addProducts: { gfni512?, gfni256?, avx2?,
 * portable } }: what this processor can run, the fastest first
 */
NAPI_MODULE_INIT() {
  napi_value hashes, products;
  bool done = add_object(env, exports, "hashChunks", &hashes) && add_object(env, exports, "addProducts", &products) &&
              add_function(env, exports, "findCuts", js_find_cuts, NULL) &&
              add_function(env, exports, "applyXorKey", js_apply_xor_key, NULL);
  if (done && find_crc32()) done = add_function(env, exports, "crc32", js_crc32, (void *)find_crc32());
  for (const struct sha3_implementation *it = sha3_implementations(); done && it->name; it++)
    done = add_function(env, hashes, it->name, js_hash_chunks, it);
  for (const struct products_implementation *it = products_implementations(); done && it->name; it++)
    done = add_function(env, products, it->name, js_add_products, it);
  if (!done) napi_throw_error(env, NULL, "the kernel cannot be set up");
  return exports;
}
