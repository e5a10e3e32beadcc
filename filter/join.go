package filter

// joiner decides whether a branch can be met by leaves of which no two stand in
// different elements of one array.
//
// It reads the tape once, as a tree: an element holds leaves and arrays, all of which
// suit each other, and an array holds elements, of which a choice may use one. For each
// it works out a family of states, a state being what one choice of elements yields:
//
//   - met: the tests that a leaf meets, and
//   - dirty: of the tests with exists:false, those that find a leaf. Tests are decided in
//     the order of their paths, and a leaf in another element is out of sight once an
//     earlier test has chosen its element.
//
// A state is dropped when another one meets as much and is no dirtier. In an event
// without duplicate keys, whatever the branch wants below an array has to come from
// one of its elements, so nearly always one state is left, and time is linear in the
// tape. Duplicate keys make the question as hard as covering sets, so that work is
// bounded: a record that exhausts the bound counts as met, because a record delivered in
// vain costs less than one lost.
type joiner struct {
	set       *Set
	tape      tape
	mask      []uint64
	width     int // words of a row; a state is two rows: met, dirty
	pos       int
	budget    int
	irregular bool
	exact     bool // states must not drop picks, nor pick twice: see insert and combine

	// A family is a header (met: leaves of the element itself; dirty: every test with a
	// leaf, chosen or not) and its states, side by side at the end of the arena.
	arena []uint64
}

const (
	joinBudget         = 1 << 16 // states compared for any event …
	joinBudgetPerToken = 64      // … and more for each token
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

// open adds a family of one state that meets nothing, and returns where it starts.
func (j *joiner) open() int {
	base := len(j.arena)
	for range 4 * j.width {
		j.arena = append(j.arena, 0)
	}
	return base
}

// element reads tokens up to the element's end (outermost: the tape's) into the family
// at base, the last one in the arena.
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

// leaf adds a leaf that stands in the element itself to its family at base.
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

// settle lets every state pick the element's own leaves. That never harms a choice,
// but for exact families, in which another place may have to pick the same test.
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

// array reads an array into a family of its own and returns where that starts. Scalars
// of the array belong to the element around it, whose family is at around.
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
		// The states that stay move down, over the header and those that went before.
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

// close takes into account, now that all elements are known, that a state sees the
// leaves of the other elements with every test that comes before its first pick.
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

// picks reports whether a state meets anything; at is where it begins.
func (j *joiner) picks(at int) bool {
	for _, met := range j.arena[at : at+j.width] {
		if met != 0 {
			return true
		}
	}
	return false
}

// viable reports whether a state that chose an element of an array can lead anywhere:
// tests below the array must be met in that element, for no other place has their path.
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

// mayStayEmpty reports whether a branch can do without choosing an element.
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

// combine joins the family at with, the last one, into the one at base, which precedes it.
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

// insert adds a state (at is where it begins) to the family at base that ends at end, and returns its
// new end. A state no better than another is dropped; an exact family drops only
// equals, since there a choice may need a state that picks less.
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

// relate reports whether the state at a is at least as good as the one at b, and
// whether it is at most as good.
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

// span is a range of tests, by number.
type span struct{ low, high int32 }

// bits returns the range's part in the word w of a row.
func (s span) bits(w int) uint64 {
	low := max(int(s.low)-w*64, 0)
	high := min(int(s.high)-w*64, 64)
	if low >= high {
		return 0
	}
	return ^uint64(0) >> (64 - (high - low)) << low
}
