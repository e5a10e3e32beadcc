package promcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/esm-go/esm/internal/promtext"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// sameText parses the text of esm serve with Prometheus' own parser, and compares it with what the Collector of the
// same mapping exported at the same time.
func sameText(s promtext.Source, scraped []sample) error {
	var text bytes.Buffer
	if err := promtext.Write(&text, []promtext.Source{s}); err != nil {
		return err
	}
	got, err := parseText(text.Bytes())
	if err != nil {
		return fmt.Errorf("%w in\n%s", err, text.String())
	}
	want := make(map[string]float64, len(scraped))
	for _, s := range scraped {
		want[keyOf(s.labels)] = s.value
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if v, there := got[key]; !there || v != want[key] {
			errs = append(errs, fmt.Errorf("%s: the text has %v (there: %t), the Collector %v", key, v, there, want[key]))
		}
		delete(got, key)
	}
	for key, v := range got {
		errs = append(errs, fmt.Errorf("%s: %v is in the text alone", key, v))
	}
	return errors.Join(errs...)
}

// parseText returns every sample by its labels. It refuses a sample without a type and a duplicate.
func parseText(text []byte) (map[string]float64, error) {
	samples, typed := make(map[string]float64), false
	p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		switch {
		case errors.Is(err, io.EOF):
			return samples, nil
		case err != nil:
			return nil, err
		}
		switch entry {
		case textparse.EntryType:
			typed = true
		case textparse.EntrySeries:
			var of labels.Labels
			p.Labels(&of)
			_, _, v := p.Series()
			key := keyOf(of)
			if _, twice := samples[key]; twice || !typed {
				return nil, fmt.Errorf("%s: there twice: %t, after a type: %t", key, twice, typed)
			}
			samples[key] = v
		}
	}
}

// keyOf names a series. It normalises bucket bounds, which Prometheus formats differently.
func keyOf(l labels.Labels) string {
	b := labels.NewBuilder(l).Del("job")
	if v, err := strconv.ParseFloat(l.Get("le"), 64); err == nil {
		b.Set("le", fmt.Sprint(v))
	}
	return b.Labels().String()
}
