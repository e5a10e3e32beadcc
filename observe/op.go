package observe

// Op names an operation that failed or does not return.
type Op string

// All values of Op.
const (
	// OpPoll: reading records, which includes being a member of the group.
	OpPoll Op = "poll"
	// OpFetch: fetching partitions of which the brokers have more records but send none, while the client reports no
	// error.
	OpFetch Op = "fetch"
	// OpStart: looking up the offset at which a partition starts or continues.
	OpStart Op = "start"
	// OpCommit: committing positions.
	OpCommit Op = "commit"
	// OpLag: looking up the ends of partitions.
	OpLag Op = "lag"
	// OpCredentials: reading the secrets for the first time.
	OpCredentials Op = "credentials"
	// OpRotation: reading the secrets again, trying the new credentials and using them.
	OpRotation Op = "rotate credentials"
	// OpHandshake: an extra connection that the library opens to find the cause of a failure.
	OpHandshake Op = "handshake"
	// OpInvoke: invoking the handler.
	OpInvoke Op = "invoke"
	// OpBuffer: holding records in memory.
	OpBuffer Op = "buffer"
	// OpScale: asking the scaling policy.
	OpScale Op = "scale"
	// OpGroup: sharing the consumer group with another mapping.
	OpGroup Op = "group"
	// OpHook: calling a hook.
	OpHook Op = "hook"
	// OpDestination: sending to the on-failure destination, or checking it.
	OpDestination Op = "destination"
	// OpClose: leaving the group and closing the client.
	OpClose Op = "close"
)
