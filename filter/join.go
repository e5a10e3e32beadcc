package filter

// joiner decides whether leaves can meet a branch when no two of them may be in different elements of the
// same array.
//
// It reads the tape once, as a tree: an element holds leaves and arrays, which can all be used together, and
// an array holds elements, of which a choice may use one. For each it computes a family of states. A state is
// the result of one choice of elements:
//
//   - met: the tests that a leaf meets, and
//   - dirty: the tests with exists:false that find a leaf. Tests are decided in the order of their paths, and
//     a leaf in another element is invisible once an earlier test has chosen its element.
//
// A state is dropped when another one meets as much and is no dirtier. In an event without duplicate keys,
// everything that the branch wants below an array must come from one of its elements, so nearly always one
// state is left and the time is linear in the tape. Duplicate keys make the problem as hard as set cover, so
// the work is bounded. A record that exhausts the bound counts as met, because delivering a record needlessly
// costs less than losing one.
// vain costs less than one lost.
type joiner struct {
	set       *Set
	tape      tape
	mask      []uint64
	width     int // words per row; a state is two rows: met, dirty
	pos       int
	budget    int
	irregular bool
	exact     bool // states must not drop picks, nor pick twice: see insert and combine

	// A family is a header (met: leaves of the element itself; dirty: every test with a leaf, chosen or not)
	// followed by its states, at the end of the arena.
	arena []uint64
}

const (
	joinBudget         = 1 << 16 // states compared for any event …
	joinBudgetPerToken = 64      // … and this many more for each token
)

// solve decides the branch from the leaves of m.
func (j *joiner) solve(m *Scratch, b *branch) bool {
	j.set, j.tape, j.mask = m.set, m.tape, b.mask
	j.width = len(b.mask)
	j.pos = 0
	j.budget = joinBudget + joinBudgetPerToken*len(m.tape)
	j.irregular, j.exact = m.irregular, false
	for w, mask := range b.mask {
		j.exact = j.exact || m.irregular && mask&j.set.absent[w] != 0
	}
	j.arena = j.arena[:0]

	j.open()
	for w, mask := range b.mask {
		dirty := m.seen[w] & mask & j.set.absent[w]
		j.arena[w] = m.hit[w] & mask
		j.arena[j.width+w] = dirty
		j.arena[3*j.width+w] = dirty
	}
	j.element(0, true)
	if j.budget < 0 {
		return true
	}
states:
	for at := 2 * j.width; at < len(j.arena); at += 2 * j.width {
		for w, mask := range b.mask {
			if mask&^(j.arena[at+w]|j.set.absent[w]&^j.arena[at+j.width+w]) != 0 {
				continue states
			}
		}
		return true
	}
	return false
}

// open adds a family of one state that meets nothing, and returns its start.
func (j *joiner) open() int {
	base := len(j.arena)
	for range 4 * j.width {
		j.arena = append(j.arena, 0)
	}
	return base
}

// element reads tokens up to the element's end (outermost: to the tape's end) into the family at base, the
// last one in the arena.
func (j *joiner) element(base int, outermost bool) {
	for j.pos < len(j.tape) {
		t := j.tape[j.pos]
		if t&(1<<tokenBits-1) == tokenEnd {
			j.pos++
			break
		}
		if t&(1<<tokenBits-1) == tokenArray {
			j.combine(base, j.array(base))
			continue
		}
		j.leaf(base, len(j.arena), t)
		j.pos++
	}
	j.settle(base, outermost)
}

// leaf adds a leaf of the element itself to the element's family at base.
func (j *joiner) leaf(base, end int, t uint32) {
	id := int(t >> tokenBits)
	w, bit := id>>6, uint64(1)<<(id&63)
	if bit &= j.mask[w]; bit == 0 {
		return
	}
	if t&(1<<tokenBits-1) == tokenHit {
		j.arena[base+w] |= bit
		return
	}
	for at := base; at < end; at += 2 * j.width {
		j.arena[at+j.width+w] |= bit
	}
}

// settle lets every state pick the element's own leaves. That never harms a choice, except in exact families,
// where another place may have to pick the same test.
func (j *joiner) settle(base int, outermost bool) {
	stride := 2 * j.width
	header := j.arena[base : base+j.width]
	if !j.exact || outermost {
		for at := base + stride; at < len(j.arena); at += stride {
			for w, met := range header {
				j.arena[at+w] |= met
				j.arena[at+j.width+w] &^= met
			}
		}
		return
	}
	for w := range j.width {
		for rest := j.arena[base+w]; rest != 0; rest &= rest - 1 {
			end := len(j.arena)
			for at := base + stride; at < end && j.budget >= 0; at += stride {
				from := len(j.arena)
				j.arena = append(j.arena, j.arena[at:at+stride]...)
				j.arena[from+w] |= rest & -rest
				j.arena[from+j.width+w] &^= rest & -rest
				j.arena = j.arena[:j.insert(base, from, from)]
			}
		}
	}
}

// array reads an array into its own family and returns where that starts. Scalars of the array belong to the
// element around it, whose family is at around.
func (j *joiner) array(around int) int {
	stride := 2 * j.width
	span := j.set.spans[j.tape[j.pos]>>tokenBits]
	j.pos++
	base := j.open()
	end := len(j.arena)
	for {
		t := j.tape[j.pos]
		j.pos++
		kind := t & (1<<tokenBits - 1)
		if kind == tokenEnd {
			break
		}
		if kind != tokenElement {
			j.leaf(around, base, t)
			continue
		}
		from := j.open()
		j.element(from, false)
		for w := range j.width {
			j.arena[base+j.width+w] |= j.arena[from+j.width+w]
		}
		// The states that are kept move down, over the header and the dropped ones.
		for at := from + stride; at < len(j.arena); at += stride {
			if j.picks(at) && j.viable(at, span) {
				end = j.insert(base, end, at)
			}
		}
		j.arena = j.arena[:end]
	}
	j.close(base, span)
	return base
}

// close is called when all elements are known. For every test before a state's first pick, the state also
// sees the leaves of the other elements.
func (j *joiner) close(base int, span span) {
	stride := 2 * j.width
	end := base + stride
	for at := base + stride; at < len(j.arena); at += stride {
		for w := range j.width {
			all, met := j.arena[base+j.width+w], j.arena[at+w]
			if met != 0 {
				all &= met&-met - 1
			}
			j.arena[at+j.width+w] |= all
			if met != 0 {
				break
			}
		}
		if j.picks(at) && j.viable(at, span) || !j.picks(at) && j.mayStayEmpty(span) {
			end += copy(j.arena[end:end+stride], j.arena[at:at+stride])
		}
	}
	j.arena = j.arena[:end]
}

// picks reports whether the state that starts at index at meets anything.
func (j *joiner) picks(at int) bool {
	for _, met := range j.arena[at : at+j.width] {
		if met != 0 {
			return true
		}
	}
	return false
}

// viable reports whether a state that chose an element of an array can lead anywhere: tests below the array
// must be met in that element, because no other place has their path.
func (j *joiner) viable(at int, s span) bool {
	if j.irregular {
		return true
	}
	for w := range j.width {
		ok := j.arena[at+w] | j.set.absent[w]&^j.arena[at+j.width+w]
		if s.bits(w)&j.mask[w]&^ok != 0 {
			return false
		}
	}
	return true
}

// mayStayEmpty reports whether a branch can be met without choosing an element.
func (j *joiner) mayStayEmpty(s span) bool {
	if j.irregular {
		return true
	}
	for w := range j.width {
		if s.bits(w)&j.mask[w]&^j.set.absent[w] != 0 {
			return false
		}
	}
	return true
}

// combine merges the family at with, the last one, into the preceding one at base.
func (j *joiner) combine(base, with int) {
	stride := 2 * j.width
	last := len(j.arena)
	for w := range j.width {
		j.arena[base+j.width+w] |= j.arena[with+j.width+w]
	}
	for range stride { // the header of the result
		j.arena = append(j.arena, 0)
	}
	for a := base + stride; a < with && j.budget >= 0; a += stride {
		for b := with + stride; b < last && j.budget >= 0; b += stride {
			from := len(j.arena)
			twice := uint64(0)
			for i := range stride {
				if i < j.width {
					twice |= j.arena[a+i] & j.arena[b+i]
				}
				j.arena = append(j.arena, j.arena[a+i]|j.arena[b+i])
			}
			if j.exact && twice != 0 {
				j.arena = j.arena[:from]
				continue
			}
			for w := range j.width {
				j.arena[from+j.width+w] &^= j.arena[from+w]
			}
			j.arena = j.arena[:j.insert(last, from, from)]
		}
	}
	n := copy(j.arena[base+stride:], j.arena[last+stride:])
	j.arena = j.arena[:base+stride+n]
}

// insert adds the state that starts at index at to the family that starts at base and ends at end, and returns
// the family's new end. A state that is no better than another is dropped. An exact family drops only
// duplicates, since a choice may need a state that picks less.
func (j *joiner) insert(base, end, at int) int {
	stride := 2 * j.width
	j.budget--
	for i := base + stride; i < end; {
		if j.budget--; j.budget < 0 {
			return end
		}
		better, worse := j.relate(i, at)
		if better && (worse || !j.exact) {
			return end
		}
		if worse && !j.exact {
			end -= stride
			copy(j.arena[i:i+stride], j.arena[end:end+stride])
			continue
		}
		i += stride
	}
	copy(j.arena[end:end+stride], j.arena[at:at+stride])
	return end + stride
}

// relate reports whether the state at a is at least as good as the one at b, and whether it is at most as
// good.
func (j *joiner) relate(a, b int) (better, worse bool) {
	better, worse = true, true
	for w := range j.width {
		metA, metB := j.arena[a+w], j.arena[b+w]
		dirtyA, dirtyB := j.arena[a+j.width+w], j.arena[b+j.width+w]
		better = better && metB&^metA == 0 && dirtyA&^dirtyB == 0
		worse = worse && metA&^metB == 0 && dirtyB&^dirtyA == 0
	}
	return better, worse
}

// span is a range of test numbers.
type span struct{ low, high int32 }

// bits returns the part of the range that is in word w of a row.
func (s span) bits(w int) uint64 {
	low := max(int(s.low)-w*64, 0)
	high := min(int(s.high)-w*64, 64)
	if low >= high {
		return 0
	}
	return ^uint64(0) >> (64 - (high - low)) << low
}
