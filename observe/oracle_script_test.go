package observe_test

import (
	"time"

	"pgregory.net/rapid"
)

func scripts() *rapid.Generator[script] {
	return rapid.Custom(func(t *rapid.T) script {
		s := script{
			Seed: rapid.Uint64().Draw(t, "seed"), Partitions: rapid.IntRange(1, 4).Draw(t, "partitions"), Batch: rapid.SampledFrom([]int{1, 3, 10, 100}).Draw(t, "batch"),
			Window: rapid.IntRange(0, 2).Draw(t, "window"), Attempts: rapid.SampledFrom([]int{-1, 0, 1, 3}).Draw(t, "attempts"), Bisect: rapid.Bool().Draw(t, "bisect"),
			Partial: rapid.Bool().Draw(t, "partial"), Filter: rapid.Bool().Draw(t, "filter"), Destination: rapid.Bool().Draw(t, "destination"),
			Revocations: rapid.IntRange(0, 3).Draw(t, "revocations"), Reports: rapid.IntRange(0, 4).Draw(t, "reports"), Lost: rapid.IntRange(0, 20).Draw(t, "lost"),
		}
		s.Rounds = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) round {
			return round{Partition: rapid.IntRange(0, 3).Draw(t, "partition") % s.Partitions, Records: rapid.IntRange(1, 25).Draw(t, "records"),
				Refused: max(0, rapid.IntRange(-3, 2).Draw(t, "refused")), Pause: time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond}
		}), 2, 12).Draw(t, "rounds")
		if s.Attempts < 0 && !s.Destination { // otherwise what fails forever is given up
			s.Skips = rapid.IntRange(0, 2).Draw(t, "skips")
		}
		return s
	})
}

// script holds the random choices of one run.
type script struct {
	Seed        uint64
	Partitions  int
	Batch       int
	Window      int // seconds
	Attempts    int
	Bisect      bool
	Partial     bool
	Filter      bool
	Destination bool
	Rounds      []round
	// Revocations, Reports, Lost and Skips happen when everything else is done.
	Revocations, Reports, Lost, Skips int
}

// round is records of one partition, refused commits, and a pause.
type round struct {
	Partition, Records, Refused int
	Pause                       time.Duration
}
