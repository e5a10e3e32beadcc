package diag

import (
	"cmp"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// module is the path that the functions of this module begin with.
const module = "github.com/esm-go/esm"

// Owner describes goroutines that were started by the same function and are now in the same function.
type Owner struct {
	// CreatedBy is the function that started them. In is the innermost function of this module on their stacks.
	CreatedBy string `json:"createdBy"`
	In        string `json:"in"`
	// Doing is the runtime state of the first of them, such as "select" or "IO wait".
	Doing string `json:"doing"`
	Count int    `json:"count"`
}

var (
	header  = regexp.MustCompile(`^goroutine \d+ .*\[([^\],]*)`)
	created = regexp.MustCompile(`^created by (\S+)`)
)

// Goroutines returns the goroutines of this process that have a function of this module on their stack, grouped by the function
// that started them, the largest group first. It stops the process for a moment.
func Goroutines() []Owner {
	stacks := make([]byte, 256<<10)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) || n >= 32<<20 {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*n)
	}
	count := make(map[Owner]int)
	doing := make(map[Owner]string)
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		var o Owner
		state := ""
		for line := range strings.Lines(stack) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case header.MatchString(line):
				state = header.FindStringSubmatch(line)[1]
			case created.MatchString(line):
				o.CreatedBy = created.FindStringSubmatch(line)[1]
			case o.In == "" && strings.HasPrefix(line, module) && !strings.HasPrefix(line, module+"/observe/diag"):
				o.In = function(line)
			}
		}
		if o.In == "" && !strings.HasPrefix(o.CreatedBy, module) {
			continue
		}
		if count[o] == 0 {
			doing[o] = state
		}
		count[o]++
	}
	owners := make([]Owner, 0, len(count))
	for o, n := range count {
		o.Doing, o.Count = doing[o], n
		owners = append(owners, o)
	}
	slices.SortFunc(owners, func(a, b Owner) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.CreatedBy, b.CreatedBy), cmp.Compare(a.In, b.In))
	})
	return owners
}

// function returns a line of a stack without the arguments.
func function(line string) string {
	if i := strings.LastIndexByte(line, '('); i > 0 {
		return line[:i]
	}
	return line
}
