package limit

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/esm-go/esm/event"
	"pgregory.net/rapid"
)

// Pauses are between half and the whole of the exponential and never above the bound, and a seed reproduces them.
func TestBackoffProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "first"))
		b := Backoff{first, first + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "more"))}
		n, seed := rapid.IntRange(1, 200).Draw(t, "n"), rapid.Uint64().Draw(t, "seed")
		whole := b.After(n, nil)
		if whole > b.Most || whole < b.First || n > 1 && whole < b.After(n-1, nil) {
			t.Fatalf("after %d failures: %v of %+v", n, whole, b)
		}
		got := b.After(n, rand.New(rand.NewPCG(seed, 1)))
		if got < whole/2 || got > whole {
			t.Fatalf("jitter made %v of %v", got, whole)
		}
		if again := b.After(n, rand.New(rand.NewPCG(seed, 1))); again != got {
			t.Fatalf("the same seed gave %v, then %v", got, again)
		}
	})
}

// The circuit opens after failures in a row on at least two partitions (if there are two), and only a success closes it.
func TestBreakerProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := breaker{failures: rapid.IntRange(1, 5).Draw(t, "failures"), cooldown: 10 * time.Second, enabled: true, failing: make(map[event.TopicPartition]struct{})}
		assigned := rapid.IntRange(1, 3).Draw(t, "assigned")
		now := time.Unix(1000, 0)
		streak, failing, until := 0, map[int]bool{}, time.Time{}
		open := false
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "s")) * time.Second)
			if rapid.IntRange(0, 4).Draw(t, "ok") == 0 {
				if closed := b.succeeded(); closed != open {
					t.Fatalf("a success closed %t, want %t", closed, open)
				}
				streak, failing, open = 0, map[int]bool{}, false
			} else {
				i := rapid.IntRange(0, assigned-1).Draw(t, "p")
				streak++
				failing[i] = true
				opens := !open && streak >= b.failures && len(failing) >= min(2, assigned)
				if opened := b.failed(now, []event.TopicPartition{{Topic: "t", Partition: int32(i)}}, assigned); opened != opens {
					t.Fatalf("failure %d on %d partitions opened %t, want %t", streak, len(failing), opened, opens)
				}
				if open = open || opens; open {
					until = now.Add(b.cooldown)
				}
			}
			for _, busy := range []int{0, 1} {
				want := !open || busy == 0 && !now.Before(until)
				if got := b.allows(now, busy); got != want {
					t.Fatalf("allows %t with %d under way, want %t", got, busy, want)
				}
			}
		}
	})
}

// If a pause takes effect within one fetch, the budget is exceeded by at most one fetch for each partition, and a
// partition that holds less than its share is never paused.
func TestBudgetProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Bytes
		b.Limit.Store(int64(rapid.IntRange(1000, 100_000).Draw(t, "limit")))
		held := make([]int, rapid.IntRange(1, 8).Draw(t, "partitions"))
		b.Partitions.Store(int64(len(held)))
		fetch := rapid.IntRange(1, 5000).Draw(t, "fetch")
		paused := make([]bool, len(held))
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, len(held)-1).Draw(t, "i")
			if paused[i] {
				continue
			}
			held[i] += fetch
			b.Used.Add(int64(fetch))
			paused[i] = b.Full(held[i])
			if paused[i] && held[i] < b.Share() {
				t.Fatalf("paused at %d, under its share of %d", held[i], b.Share())
			}
			if used := int(b.Used.Load()); used > int(b.Limit.Load())+len(held)*fetch {
				t.Fatalf("%d used of %d, fetches bring %d", used, b.Limit.Load(), fetch)
			}
		}
		if b.Ample() && b.scarce() {
			t.Fatal("ample and scarce at once")
		}
	})
}
