package filter

import "fmt"

// InvalidPatternMessage is the text with which Lambda's API rejects a filter pattern
// (InvalidParameterValueException, HTTP 400), whatever is wrong with it.
const InvalidPatternMessage = "Invalid filter pattern definition."

// InvalidPatternError is what [Compile] returns for invalid patterns. Its text is exactly Lambda's,
// [InvalidPatternMessage]. It wraps one [*PatternError] for each rejected filter, which says what is wrong;
// errors.As finds the first of them.
type InvalidPatternError struct {
	Problems []*PatternError // in filter order; never empty
}

// Error returns [InvalidPatternMessage].
func (e *InvalidPatternError) Error() string { return InvalidPatternMessage }

// Unwrap returns the problems.
func (e *InvalidPatternError) Unwrap() []error {
	out := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		out[i] = p
	}
	return out
}

// PatternError says what is wrong with one filter's pattern, and where.
type PatternError struct {
	Filter int    // position in FilterCriteria.Filters, the first is 1; 0 if the list itself is wrong
	Offset int    // byte offset in the pattern, the first byte is 0
	Reason string // what is wrong and what to write instead
}

// Error returns the filter, the offset and the reason.
func (e *PatternError) Error() string {
	if e.Filter == 0 {
		return "filters: " + e.Reason
	}
	return fmt.Sprintf("filter %d, byte %d: %s", e.Filter, e.Offset, e.Reason)
}

// refuse returns the error for one pattern; Compile adds the filter's number.
func refuse(offset int, format string, args ...any) *PatternError {
	return &PatternError{Offset: offset, Reason: fmt.Sprintf(format, args...)}
}
