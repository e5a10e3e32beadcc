// Package destination holds what becomes of records that a mapping gives up: a [Failure], the documents that Lambda
// writes of it, and the [Destination] that keeps them.
//
// Lambda hands a record to the mapping's on-failure destination when its retries are exhausted, when it is too old and
// when it is larger than 6 MB. The packages below this one send such failures where Lambda does:
//
//   - destination/sqs and destination/sns: one message a failed batch, of metadata only;
//   - destination/s3: one object a failed batch, the same with the whole event as an escaped string;
//   - destination/kafka: one message a failed record, with the record's event as an object.
//
// Package destination/resolve makes them of the names that DestinationConfig.OnFailure.Destination has, and package
// destination/redrive brings failures back.
//
// # Documents
//
// The documents are AWS's, member by member and in AWS's order; docs/destinations.md shows each. What they have no
// place for, such as a failure's id and the exact offsets, goes beside them: into message attributes, object metadata
// or message headers, under the names that [Attributes] lists.
//
// # Once or more
//
// A failure is sent at least once. It is sent again when its acknowledgement was lost, and after a crash before the
// commit. [Failure.ID] is the same then, so that a reader can tell; the S3 destination writes one object.
package destination
