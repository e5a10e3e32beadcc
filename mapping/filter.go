package mapping

import (
	"errors"
	"fmt"

	"github.com/esm-go/esm/filter"
)

// invalidPattern is AWS's text for an invalid pattern.
const invalidPattern = filter.InvalidPatternMessage

// checkFilterCriteria checks the number of filters and the form of each.
func checkFilterCriteria(c *checker, criteria *FilterCriteria) {
	if criteria == nil {
		return
	}
	most, why := 10, "there may be 10"
	if c.strict {
		most, why = 5, "AWS allows 5, and 10 on request"
	}
	if n := len(criteria.Filters); n > most {
		c.refuse("FilterCriteria.Filters", n, why)
	}
	for i, f := range criteria.Filters {
		if reason := patternReason(f.Pattern, c.strict); reason != "" {
			c.refuse(fmt.Sprintf("FilterCriteria.Filters[%d].Pattern", i), f.Pattern, invalidPattern+" "+reason)
		}
	}
}

// patternReason returns why package filter refuses a pattern, or "". The strict form knows only the operators of
// Lambda's table.
func patternReason(pattern string, strict bool) string {
	var opts []filter.Option
	if strict {
		opts = append(opts, filter.Strict())
	}
	_, err := filter.Compile([]string{pattern}, opts...)
	if err == nil {
		return ""
	}
	if p, ok := errors.AsType[*filter.PatternError](err); ok {
		return fmt.Sprintf("At byte %d: %s", p.Offset, p.Reason)
	}
	return err.Error()
}
