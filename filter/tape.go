package filter

// tape lists the leaves inside elements of arrays, in the event's order, as a sequence of tokens. Objects are
// not on it: their contents belong to the element around them. Elements without such leaves are omitted, and
// so are the event's bytes.
type tape []uint32

const (
	tokenHit     = iota // a leaf that meets the test
	tokenSeen           // a leaf at the path of a test with exists:false
	tokenArray          // an array starts at the node; its own scalars belong to what is around it
	tokenElement        // an object or array that is an element of it starts
	tokenEnd            // the latest array or element ends
)

// tokenBits is how many bits of a token hold its kind; the others hold its test or node.
const tokenBits = 3

func token(kind int, of int32) uint32 { return uint32(of)<<tokenBits | uint32(kind) }
