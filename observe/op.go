package observe

// Op names an operation that failed, or that does not return.
type Op string

// All values of Op.
const (
	// OpPoll: reading records, which includes being a member of the group.
	OpPoll Op = "poll"
	// OpFetch: bringing the records of partitions that the brokers have more of, without a word of the client why not.
	OpFetch Op = "fetch"
	// OpStart: looking up the offset at which a partition begins or goes on.
	OpStart Op = "start"
	// OpCommit: committing positions.
	OpCommit Op = "commit"
	// OpLag: looking up the ends of partitions.
	OpLag Op = "lag"
	// OpCredentials: reading the secrets for the first time.
	OpCredentials Op = "credentials"
	// OpRotation: reading the secrets again, trying the new credentials and using them.
	OpRotation Op = "rotate credentials"
	// OpHandshake: an extra connection that the library opens to find the reason of a failure.
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
