package esm

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// invalidPattern is AWS's text for a pattern that it refuses.
const invalidPattern = "Invalid filter pattern definition."

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
	for i, filter := range criteria.Filters {
		if reason := patternReason(filter.Pattern); reason != "" {
			c.refuse(fmt.Sprintf("FilterCriteria.Filters[%d].Pattern", i), filter.Pattern, invalidPattern+" "+reason)
		}
	}
}

// patternReason says what is wrong with the form of a pattern, "" when nothing is. Whether its conditions have a
// meaning is package filter's to say; this is the place to compile it.
func patternReason(pattern string) string {
	const maxPattern = 4096
	if n := utf8.RuneCountInString(pattern); n > maxPattern {
		return fmt.Sprintf("It has %d characters, at most %d are allowed", n, maxPattern)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(pattern), &object); err != nil || object == nil {
		return `It must be a JSON object in a string, such as "{\"value\":{\"status\":[\"NEW\"]}}"`
	}
	return ""
}
