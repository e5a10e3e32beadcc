// Every operation, pagination, tags and typed errors, by the AWS SDK for JavaScript. Prints what it saw.
import { createRequire } from "node:module";
const require = createRequire(process.argv[2] + "/");
const l = require("@aws-sdk/client-lambda");
const [, , , endpoint, secret] = process.argv;
const client = new l.LambdaClient({ endpoint, maxAttempts: 1 });
const seen = {};
const create = (topic, more) => client.send(new l.CreateEventSourceMappingCommand({
  FunctionName: "orders", Topics: [topic],
  SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ["kafka:1000"] } },
  SourceAccessConfigurations: [{ Type: "BASIC_AUTH", URI: secret }], ...more,
}));
const refused = async (name, call) => {
  try { await call(); seen[name] = "succeeded"; } catch (e) { seen[name] = [e.name, e.Type ?? "", e.message, e.$metadata?.httpStatusCode]; }
};
const made = [await create("topic", { StartingPosition: "AT_TIMESTAMP", StartingPositionTimestamp: new Date(1700000000123), Tags: { team: "x" } }), await create("topic_2")];
seen.created = made.map((m) => m.State);
seen.timestamp = made[0].StartingPositionTimestamp.getTime();
await refused("conflict", () => create("topic"));
await refused("missing", () => client.send(new l.GetEventSourceMappingCommand({ UUID: "11111111-2222-4333-8444-555555555555" })));
await refused("parameter", () => create("topic", { FunctionName: "nobody" }));
seen.pages = [];
for await (const page of l.paginateListEventSourceMappings({ client, pageSize: 1 }, {})) seen.pages.push(page.EventSourceMappings.length);
const Resource = made[0].EventSourceMappingArn;
await client.send(new l.TagResourceCommand({ Resource, Tags: { a: "b c" } }));
await client.send(new l.UntagResourceCommand({ Resource, TagKeys: ["team"] }));
seen.tags = (await client.send(new l.ListTagsCommand({ Resource }))).Tags;
seen.updated = (await client.send(new l.UpdateEventSourceMappingCommand({ UUID: made[1].UUID, Enabled: false }))).State;
seen.got = (await client.send(new l.GetEventSourceMappingCommand({ UUID: made[1].UUID }))).UUID === made[1].UUID;
seen.deleted = (await client.send(new l.DeleteEventSourceMappingCommand({ UUID: made[1].UUID }))).State;
console.log(JSON.stringify(seen));
