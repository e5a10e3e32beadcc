package esm

import "github.com/esm-go/esm/mapping"

// The parameters of a mapping; package mapping documents each field.
type (
	Mapping                           = mapping.Mapping
	SelfManagedEventSource            = mapping.SelfManagedEventSource
	Endpoints                         = mapping.Endpoints
	SelfManagedKafkaEventSourceConfig = mapping.SelfManagedKafkaEventSourceConfig
	SourceAccessConfiguration         = mapping.SourceAccessConfiguration
	StartingPosition                  = mapping.StartingPosition
	FunctionResponseType              = mapping.FunctionResponseType
	FilterCriteria                    = mapping.FilterCriteria
	Filter                            = mapping.Filter
	DestinationConfig                 = mapping.DestinationConfig
	Destination                       = mapping.Destination
	ProvisionedPollerConfig           = mapping.ProvisionedPollerConfig
	FieldError                        = mapping.FieldError
)

// The starting positions, and the only FunctionResponseType.
const (
	TrimHorizon             = mapping.TrimHorizon
	Latest                  = mapping.Latest
	AtTimestamp             = mapping.AtTimestamp
	ReportBatchItemFailures = mapping.ReportBatchItemFailures
)

// ParseMapping reads a mapping from the JSON of CreateEventSourceMapping; see mapping.Parse.
func ParseMapping(data []byte) (Mapping, error) { return mapping.Parse(data) }
