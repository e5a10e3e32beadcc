package filter

// tape lists the leaves that stand inside elements of arrays, in the event's order, as a
// sequence of tokens. Objects are not on it: what they hold belongs to the element
// around them. Elements that say nothing are left out, and so are the event's bytes.
type tape []uint32

const (
	tokenHit     = iota // a leaf that meets the test
	tokenSeen           // a leaf at the path of a test that has exists:false
	tokenArray          // an array begins at the node; its own scalars belong to what is around it
	tokenElement        // an object or array that is its element begins
	tokenEnd            // the latest array or element ends
)

// tokenBits is how many bits of a token tell its kind; the others are its node.
const tokenBits = 3

func token(kind int, of int32) uint32 { return uint32(of)<<tokenBits | uint32(kind) }
