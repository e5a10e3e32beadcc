package observe

// Op names what was being done when something went wrong, or what does not return.
type Op string

// The values of Op. They are all there are.
const (
	// OpPoll: reading records, which includes being a member of the group.
	OpPoll Op = "poll"
	// OpStart: looking up where a partition begins or goes on.
	OpStart Op = "start"
	// OpCommit: committing positions.
	OpCommit Op = "commit"
	// OpLag: looking up the ends of partitions.
	OpLag Op = "lag"
	// OpCredentials: reading the secrets for the first time.
	OpCredentials Op = "credentials"
	// OpRotation: reading the secrets again, and trying and using what they hold now.
	OpRotation Op = "rotate credentials"
	// OpHandshake: a connection of the library's own, which looks for the reason of a failure.
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
	// OpDestination: sending to the on-failure destination, or asking whether it is there.
	OpDestination Op = "destination"
	// OpClose: leaving the group and closing the client.
	OpClose Op = "close"
)
