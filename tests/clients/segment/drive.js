// Drives the Braze destination of @segment/action-destinations.
const { Destination } = require("@segment/actions-core");
const braze = require("@segment/action-destinations/dist/destinations/braze").default;

async function main() {
  const destination = new Destination(braze);
  const settings = { api_key: process.env.KEY, app_id: "app", endpoint: process.env.ADDRESS };
  const event = (more) => ({ messageId: String(Math.random()), timestamp: "2026-12-07T08:00:00.123Z", receivedAt: "2026-12-07T08:00:00.123Z", userId: "mel", context: { location: { country: "France" } }, integrations: {}, ...more });
  const acts = [
    ["updateUserProfile", event({ type: "identify", traits: { email: "mel@example.com", firstName: "Mel", points: 7 } })],
    ["trackEvent", event({ type: "track", event: "liked", properties: { category: "shoes" } })],
    ["trackPurchase", event({ type: "track", event: "Order Completed", properties: { currency: "EUR", products: [{ product_id: "shoe", price: 2.5, quantity: 2 }] } })],
  ];
  const said = {};
  for (const [action, one] of acts) {
    const fields = Object.entries(braze.actions[action].fields);
    const mapping = Object.fromEntries(fields.filter(([, field]) => field.default !== undefined).map(([name, field]) => [name, field.default]));
    said[action] = (await destination.executeAction(action, { event: one, mapping, settings })).map((each) => each.output);
  }
  console.log(JSON.stringify(said));
}

main().catch((error) => { console.error(error); process.exit(1); });
