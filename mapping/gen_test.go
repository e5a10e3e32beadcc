package mapping

import (
	"time"

	"pgregory.net/rapid"
)

// genMapping draws valid and invalid mappings in the form that JSON decodes to: no empty lists.
func genMapping() *rapid.Generator[Mapping] {
	text := rapid.OneOf(rapid.StringMatching(`[a-z^.@:/-]{0,12}`), rapid.StringOfN(rapid.Rune(), 0, 5, -1),
		rapid.SampledFrom([]string{"", "orders", "orders.eu", "^orders", "localhost:9092", "14e0db71-5d35-4eb5-b481-8945cf9d10c2"}))
	number := rapid.OneOf(rapid.IntRange(-2, 12_000), rapid.SampledFrom([]int{-1, 0, 1, 60, 300, 10_000, 604_800}))
	return rapid.Custom(func(t *rapid.T) Mapping {
		m := Mapping{
			FunctionName:                   text.Draw(t, "function"),
			UUID:                           rapid.SampledFrom([]string{"", "no", "14e0db71-5d35-4eb5-b481-8945cf9d10c2"}).Draw(t, "uuid"),
			Enabled:                        maybe(t, rapid.Bool()),
			Topics:                         some(t, text),
			StartingPosition:               StartingPosition(rapid.SampledFrom([]string{"", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "x"}).Draw(t, "start")),
			BatchSize:                      number.Draw(t, "batch size"),
			MaximumBatchingWindowInSeconds: maybe(t, number),
			MaximumRetryAttempts:           maybe(t, number),
			MaximumRecordAgeInSeconds:      maybe(t, number),
			BisectBatchOnFunctionError:     rapid.Bool().Draw(t, "bisect"),
			FunctionResponseTypes:          some(t, rapid.SampledFrom([]FunctionResponseType{ReportBatchItemFailures, "x"})),
			KMSKeyArn:                      rapid.SampledFrom([]string{"", "x", "arn:aws:kms:x"}).Draw(t, "key"),
		}
		m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = some(t, text)
		access := rapid.Custom(func(t *rapid.T) SourceAccessConfiguration {
			return SourceAccessConfiguration{Type: SourceAccessType(rapid.SampledFrom([]string{"", "BASIC_AUTH", "IAM_AUTH", "x"}).Draw(t, "type")), URI: text.Draw(t, "uri")}
		})
		m.SourceAccessConfigurations = some(t, access)
		if rapid.Bool().Draw(t, "timestamp") {
			m.StartingPositionTimestamp = time.Unix(rapid.Int64Range(-100, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
		}
		m.SelfManagedKafkaEventSourceConfig = maybe(t, rapid.Custom(func(t *rapid.T) SelfManagedKafkaEventSourceConfig {
			return SelfManagedKafkaEventSourceConfig{
				ConsumerGroupId: text.Draw(t, "group"),
				ConsumptionMode: rapid.SampledFrom([]string{"", "Stream", "Queue", "x"}).Draw(t, "mode"),
				SchemaRegistryConfig: maybe(t, rapid.Custom(func(t *rapid.T) SchemaRegistryConfig {
					return SchemaRegistryConfig{SchemaRegistryURI: text.Draw(t, "registry"), AccessConfigs: some(t, access)}
				})),
			}
		}))
		m.FilterCriteria = maybe(t, rapid.Custom(func(t *rapid.T) FilterCriteria {
			return FilterCriteria{some(t, rapid.Custom(func(t *rapid.T) Filter {
				return Filter{rapid.SampledFrom([]string{"", "{}", `{"value":["<"]}`, "x"}).Draw(t, "pattern")}
			}))}
		}))
		m.DestinationConfig = maybe(t, rapid.Custom(func(t *rapid.T) DestinationConfig {
			destination := rapid.Custom(func(t *rapid.T) Destination {
				return Destination{rapid.SampledFrom([]string{"", "kafka://orders", "arn:aws:sqs:eu-central-1:012345678901:q", "x"}).Draw(t, "destination")}
			})
			return DestinationConfig{maybe(t, destination), maybe(t, destination)}
		}))
		m.ProvisionedPollerConfig = maybe(t, rapid.Custom(func(t *rapid.T) ProvisionedPollerConfig {
			return ProvisionedPollerConfig{maybe(t, number), maybe(t, number), text.Draw(t, "poller group")}
		}))
		m.MetricsConfig = maybe(t, rapid.Custom(func(t *rapid.T) MetricsConfig {
			return MetricsConfig{some(t, rapid.SampledFrom([]string{"EventCount", "ErrorCount", "KafkaMetrics", "x"}))}
		}))
		m.LoggingConfig = maybe(t, rapid.Custom(func(t *rapid.T) LoggingConfig {
			return LoggingConfig{rapid.SampledFrom([]string{"", "INFO", "x"}).Draw(t, "level")}
		}))
		if rapid.Bool().Draw(t, "tags") {
			m.Tags = rapid.MapOfN(text, text, 1, 3).Draw(t, "tags")
		}
		return m
	})
}

// maybe draws nil or a pointer to a value.
func maybe[T any](t *rapid.T, g *rapid.Generator[T]) *T {
	if rapid.Bool().Draw(t, "unset") {
		return nil
	}
	return new(g.Draw(t, "value"))
}

// some draws nil or a few elements.
func some[T any](t *rapid.T, g *rapid.Generator[T]) []T {
	if rapid.Bool().Draw(t, "none") {
		return nil
	}
	return rapid.SliceOfN(g, 1, 3).Draw(t, "elements")
}
