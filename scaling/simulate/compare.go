package simulate

import (
	"fmt"
	"io"
	"time"

	"github.com/esm-go/esm/scaling"
)

// A Row is the result of one trace under one policy.
type Row struct {
	Policy string
	*Result
}

// Compare runs each trace under the oracle, [scaling.Drain], [KEDA] and [scaling.Lambda], in that order and
// with the same arrivals, and returns the rows.
func Compare(traces []Trace, options Options) ([]Row, error) {
	var rows []Row
	for _, trace := range traces {
		for _, p := range []struct {
			name   string
			policy scaling.Policy
		}{
			{"oracle", &Oracle{Trace: trace}}, {"Drain", &scaling.Drain{}}, {"KEDA", &KEDA{}}, {"Lambda", &scaling.Lambda{}},
		} {
			result, err := Simulate(trace, p.policy, options)
			if err != nil {
				return nil, err
			}
			rows = append(rows, Row{p.name, result})
		}
	}
	return rows, nil
}

// WriteTable writes the rows as a Markdown table. Ratios are relative to the oracle of the same trace, whose
// row comes first.
func WriteTable(w io.Writer, rows []Row) error {
	const head = "| trace | policy | drain time | x oracle | worker-s | x oracle | backlog area | max lag | max age | changes | reversals |\n" +
		"| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	var oracle *Result
	for _, r := range rows {
		if r.Policy == "oracle" {
			oracle = r.Result
		}
		slower, dearer := "", ""
		if oracle != nil && oracle.Trace == r.Trace && oracle != r.Result {
			slower = fmt.Sprintf("%.2f", ratio(r.DrainTime.Seconds(), oracle.DrainTime.Seconds()))
			dearer = fmt.Sprintf("%.2f", ratio(r.WorkerSeconds, oracle.WorkerSeconds))
		}
		drain := r.DrainTime.Round(100 * time.Millisecond).String()
		if !r.Drained {
			drain = "not drained"
		}
		if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s | %.0f | %s | %.0f | %d | %s | %d | %d |\n",
			r.Trace, r.Policy, drain, slower, r.WorkerSeconds, dearer, r.BacklogArea, r.MaximumLag,
			r.MaximumAge.Round(100*time.Millisecond), r.Changes, r.Reversals); err != nil {
			return err
		}
	}
	return nil
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
