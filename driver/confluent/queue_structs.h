// Those structs of librdkafka's rdkafka.h that the queue reader looks into.
#ifndef ESM_QUEUE_STRUCTS
#define ESM_QUEUE_STRUCTS

#include <stddef.h>
#include <stdint.h>

typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;
typedef struct rd_kafka_queue_s rd_kafka_queue_t;
typedef struct rd_kafka_op_s rd_kafka_event_t;
typedef struct rd_kafka_headers_s rd_kafka_headers_t;

typedef struct {
	int err;
	rd_kafka_topic_t *rkt;
	int32_t partition;
	void *payload;
	size_t len;
	void *key;
	size_t key_len;
	int64_t offset;
	void *_private;
} esm_message;

typedef struct {
	char *topic;
	int32_t partition;
	int64_t offset;
	void *metadata;
	size_t metadata_size;
	void *opaque;
	int err;
	void *_private;
} esm_partition;

typedef struct {
	int cnt;
	int size;
	esm_partition *elems;
} esm_partition_list;

#endif
