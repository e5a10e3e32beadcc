package filter

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// casesEnv raises the number of random cases of TestDifferential.
const casesEnv = "ESM_FILTER_CASES"

const valuesPerPattern = 32

// compareOnce generates patterns and values and compares both implementations.
func compareOnce(t *testing.T, c chooser, scratch *Scratch, counts *[3]int) {
	t.Helper()
	onArrays := c.choose(2) == 1
	genPattern, genValue := genPattern, genValue
	if onArrays {
		genPattern = genArrayPattern
		genValue = func(c chooser) []byte {
			return []byte(`{"m":` + genArrayEvent(c, 5) + `,"z":` + genArrayEvent(c, 3) + `}`)
		}
	}
	patterns := []string{genPattern(c)}
	for c.choose(3) == 1 && len(patterns) < DefaultMaxFilters {
		patterns = append(patterns, genPattern(c))
	}
	set, err := Compile(patterns)
	if err != nil && strings.Contains(err.(*InvalidPatternError).Problems[0].Reason, "combinations") {
		return // a fuzzer finds this limit
	}
	if err != nil {
		t.Fatalf("a generated pattern is refused: %v\n%q", err.(*InvalidPatternError).Problems[0], patterns)
	}
	naive := naiveCompile(patterns)
	for range valuesPerPattern {
		value := genValue(c)
		got, want := set.Match(scratch, value), naive.match(value)
		if got != want {
			t.Fatalf("got %v, the naive implementation says %v\npatterns %s\nvalue %q", got, want, patterns, value)
		}
		counts[got]++
	}
}

func TestDifferential(t *testing.T) {
	cases := 20_000
	if s := os.Getenv(casesEnv); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		cases = n
	}
	seed := rand.Uint64()
	c := randomChooser{rand.New(rand.NewPCG(seed, 0))}
	var scratch Scratch
	var counts [3]int
	for i := 0; i < cases; i += valuesPerPattern {
		compareOnce(t, c, &scratch, &counts)
		if t.Failed() {
			break
		}
	}
	t.Logf("seed %d: %d NotMatched, %d Matched, %d WrongKind", seed, counts[NotMatched], counts[Matched], counts[WrongKind])
	if cases >= 20_000 && (counts[NotMatched] < cases/10 || counts[Matched] < cases/20 || counts[WrongKind] < cases/50) {
		t.Error("the generator is lopsided: too few cases of one outcome")
	}
}

func FuzzDifferential(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		b := make([]byte, 300)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	var scratch Scratch
	f.Fuzz(func(t *testing.T, data []byte) {
		var counts [3]int
		compareOnce(t, &byteChooser{data}, &scratch, &counts)
	})
}
