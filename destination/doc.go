// Package destination handles records that a mapping gives up: a [Failure], the documents that Lambda writes for it,
// and the [Destination] that stores them.
//
// Lambda sends a record to the mapping's on-failure destination when its retries are exhausted, when it is too old, or
// when it is larger than 6 MB. The packages below send such failures to the same places as Lambda:
//
//   - destination/sqs and destination/sns: one message per failed batch, with metadata only;
//   - destination/s3: one object per failed batch, with the metadata and the whole event as an escaped string;
//   - destination/kafka: one message per failed record, with the record's event as an object.
//
// Package destination/resolve creates them from the value of DestinationConfig.OnFailure.Destination, and package
// destination/redrive brings failures back.
//
// # Documents
//
// The documents are AWS's, member by member and in AWS's order; docs/destinations.md shows each. What they have no
// member for, such as a failure's ID and the exact offsets, goes into message attributes, object metadata or message
// headers, under the names that [Attributes] lists.
//
// # At least once
//
// A failure is sent at least once. It is sent again if its acknowledgement was lost, or after a crash before the
// commit. [Failure.ID] stays the same, so that a reader can recognize the duplicate; the S3 destination writes one
// object.
package destination
