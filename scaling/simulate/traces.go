package simulate

import (
	"math"
	"time"
)

// Traces returns the twelve traces on which the policies are compared. Unless a trace says otherwise, it has
// 64 partitions, BatchSize 10, and invocations of 80 ms + 2 ms per record with a variation of 20 %: one
// worker processes 100 records/s.
func Traces() []Trace {
	return []Trace{
		with("step", "200 records/s, 2,000 for five minutes", func(t *Trace) {
			t.Rate = within(60*time.Second, 360*time.Second, 2000.0, 200)
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 360*time.Second, 480*time.Second, 2
		}),
		with("ramp", "100 to 3,000 records/s in five minutes, back in three", func(t *Trace) {
			t.Rate = line([2]float64{60, 100}, [2]float64{360, 3000}, [2]float64{420, 3000}, [2]float64{600, 100})
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 600*time.Second, 660*time.Second, 2
		}),
		with("wave", "a day in fifteen minutes, 100 to 2,900 records/s", func(t *Trace) {
			t.Rate = func(at time.Duration) float64 { return 100 + 1400*(1-math.Cos(2*math.Pi*at.Seconds()/900)) }
			t.Rises, t.Settles, t.Duration, t.Changes = 0, 900*time.Second, 900*time.Second, 2
		}),
		with("burst", "100 records/s, and 100,000 within five seconds", func(t *Trace) {
			t.Rate = within(60*time.Second, 65*time.Second, 20000.0, 100)
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 65*time.Second, 240*time.Second, 2
		}),
		with("sawtooth", "six times from 100 to 3,000 records/s within a minute", func(t *Trace) {
			t.Rate = func(at time.Duration) float64 {
				if at >= 360*time.Second {
					return 100
				}
				return 100 + 2900*math.Mod(at.Seconds(), 60)/60
			}
			t.Rises, t.Settles, t.Duration, t.Changes = 0, 360*time.Second, 420*time.Second, 12
		}),
		with("hot", "40 % of the load on one partition, more than one worker does", func(t *Trace) {
			t.Weights = hotWeights(64, 0.4)
			t.Rate = within(60*time.Second, 240*time.Second, 400.0, 100)
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 240*time.Second, 540*time.Second, 2
		}),
		with("slow", "1,000 records/s, and for five minutes invocations take four times as long", func(t *Trace) {
			t.Rate = within(0, 0, 0, 1000.0)
			t.Slow = within(120*time.Second, 420*time.Second, 4.0, 1)
			t.Rises, t.Settles, t.Duration, t.Changes = 120*time.Second, 420*time.Second, 540*time.Second, 2
		}),
		with("throttled", "a function that takes 20 at a time, and a load that wants 30", func(t *Trace) {
			t.Rate = within(60*time.Second, 180*time.Second, 3000.0, 500)
			t.Limit = within(0, 0, 0, 20)
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 180*time.Second, 480*time.Second, 2
		}),
		with("failing", "500 records/s, and ten minutes in which every invocation fails", func(t *Trace) {
			t.Rate = within(0, 0, 0, 500.0)
			t.Fails = within(60*time.Second, 660*time.Second, true, false)
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 660*time.Second, 900*time.Second, 3
		}),
		with("one", "1 partition: 40 records/s, 150 for a minute", func(t *Trace) {
			t.Partitions = 1
			t.Rate = within(60*time.Second, 120*time.Second, 150.0, 40)
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 120*time.Second, 300*time.Second, 2
		}),
		with("sixtyfour", "a backlog of 200,000 records, 64 partitions, 50 ms an invocation", func(t *Trace) {
			t.Backlog, t.Base, t.PerRecord, t.Variation = 200_000, 50*time.Millisecond, 0, 0
			t.Duration, t.Changes = 120*time.Second, 1
		}),
		with("thousand", "1,000 partitions: 500 records/s, 5,000 for three minutes", func(t *Trace) {
			t.Partitions = 1000
			t.Rate = within(60*time.Second, 240*time.Second, 5000.0, 500)
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 240*time.Second, 360*time.Second, 2
		}),
	}
}

// MoreTraces returns three traces that the comparison leaves out because the yardsticks do not handle them: a
// skewed key space, a database that saturates at 16 invocations, and fetching as the bottleneck.
func MoreTraces() []Trace {
	return []Trace{
		with("skewed", "a backlog over 64 partitions whose sizes follow Zipf's law", func(t *Trace) {
			t.Weights = make([]float64, 64)
			for i := range t.Weights {
				t.Weights[i] = 1 / float64(i+1)
			}
			t.Backlog, t.Rate, t.Duration, t.Changes = 50_000, within(0, 0, 0, 200.0), 240*time.Second, 1
		}),
		with("knee", "invocations get slower in proportion from 16 at a time", func(t *Trace) {
			t.Knee = 16
			t.Rate = within(60*time.Second, 120*time.Second, 3000.0, 200)
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 120*time.Second, 300*time.Second, 2
		}),
		with("fetch", "one poller fetches 500 records/s and 1,500 arrive", func(t *Trace) {
			t.FetchRate = 500
			t.Rate = within(60*time.Second, 600*time.Second, 1500.0, 200)
			t.Bounds.MaximumPollers = 8
			t.Rises, t.Settles, t.Duration, t.Changes = 60*time.Second, 600*time.Second, 900*time.Second, 2
		}),
	}
}

func with(name, about string, set func(*Trace)) Trace {
	t := Trace{
		Name: name, About: about, Partitions: 64, BatchSize: 10,
		Base: 80 * time.Millisecond, PerRecord: 2 * time.Millisecond, Variation: 0.2,
	}
	set(&t)
	return t
}

func hotWeights(partitions int, share float64) []float64 {
	w := make([]float64, partitions)
	for i := range w {
		w[i] = (1 - share) / float64(partitions-1)
	}
	w[0] = share
	return w
}
