// The main job by the API alone, by a client that knows the published document and nothing else of
// the shop: operations by their names, where they are, what they need, what they answer.
//
//   SHOP=http://127.0.0.1:8000 STRIPE=http://127.0.0.1:8001 STAFF_EMAIL=... STAFF_PASSWORD=... \
//     node e2e/api_client.mjs
//
// What a person does on Stripe's page, and Stripe's own SDK in an app, is done to the sandbox.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const { SHOP, STRIPE, STAFF_EMAIL, STAFF_PASSWORD } = process.env;
const document = await (await fetch(`${SHOP}/api/schema/`)).json();

const operations = new Map();
for (const [path, methods] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    operations.set(operation.operationId, { path, method: method.toUpperCase(), operation });
  }
}

/** Follow a reference into the document. */
function resolved(schema) {
  if (!schema?.$ref) return schema;
  return schema.$ref.split("/").slice(1).reduce((part, name) => part[name], document);
}

/** Assert that an answer has what its shape says that it always has. */
function assertShape(value, schema, where) {
  const shape = resolved(schema);
  if (shape.allOf) return shape.allOf.forEach((part) => assertShape(value, part, where));
  if (value === null || shape.oneOf) return;
  if (shape.type === "array") {
    value.forEach((item, index) => assertShape(item, shape.items, `${where}[${index}]`));
  }
  for (const name of shape.required ?? []) assert.ok(name in value, `${where} lacks ${name}`);
  for (const [name, inner] of Object.entries(shape.properties ?? {})) {
    if (name in value) assertShape(value[name], inner, `${where}.${name}`);
  }
}

/** Call an operation; `who` has the tokens of whoever asks. Returns the answer's body. */
async function call(name, { who = {}, path = {}, query = {}, body, expected } = {}) {
  const { path: template, method, operation } = operations.get(name);
  const address = template.replace(/{(\w+)}/g, (_, part) => encodeURIComponent(path[part]));
  const headers = { "API-Version": document.info.version };
  for (const scheme of (operation.security ?? []).flatMap(Object.keys)) {
    const { type, scheme: kind, name: header } = document.components.securitySchemes[scheme];
    if (!who[scheme]) continue;
    if (type === "http" && kind === "bearer") headers.Authorization = `Bearer ${who[scheme]}`;
    else headers[header] = who[scheme];
  }
  for (const parameter of operation.parameters ?? []) {
    if (parameter.in === "header" && parameter.required) headers[parameter.name] = randomUUID();
  }
  if (body) headers["Content-Type"] = Object.keys(operation.requestBody.content)[0];
  const url = `${document.servers[0].url}${address}?${new URLSearchParams(query)}`;
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const answer = operation.responses[response.status];
  assert.ok(answer, `${name} answered ${response.status}, of which its document says nothing`);
  const text = await response.text();
  const ok = expected ? response.status === expected : response.status < 300;
  assert.ok(ok, `${name}: ${response.status} ${text}`);
  if (!answer.content) return undefined;
  const media = response.headers.get("Content-Type").split(";")[0];
  assert.ok(answer.content[media], `${name} answered ${media}`);
  const value = JSON.parse(text);
  assertShape(value, answer.content[media].schema, name);
  return value;
}

/** Ask every half second until it is so, for a minute at most. */
async function until(ask, isSo) {
  for (let left = 120; left > 0; left -= 1) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    await new Promise((resume) => setTimeout(resume, 500));
  }
  throw new Error(`still not so: ${ask}`);
}

async function form(url, fields, headers = {}) {
  return fetch(url, { method: "POST", headers, body: new URLSearchParams(fields), redirect: "manual" });
}

const card = { method: "card", card: "4242424242424242", expiry: "12/34", cvc: "123", name: "Ada Reader" };
const country = resolved(document.components.schemas.AddressRequest.properties.country.allOf[0]).enum[0];
const shipping_address = {
  name: "Ada Reader",
  line1: "1 Long Lane",
  postal_code: "10115",
  city: "Berlin",
  country,
};

async function browse() {
  const shelves = await call("listCategories");
  assert.ok(shelves.results.length > 0);
  const found = await call("listProducts", { query: { q: "walden", in_stock: true } });
  const product = await call("getProduct", { path: { slug: found.results[0].slug } });
  const free = product.variants.filter((variant) => variant.free > 0);
  // The cheapest: one of staff refunds it alone, above the shop's limit a second person is asked.
  return free.sort((one, other) => one.price.amount - other.price.amount)[0];
}

async function guestPaysOnStripesPage(variant) {
  const cart = await call("addToCart", { body: { sku: variant.sku, quantity: 2 } });
  const guest = { CartToken: cart.token };
  const changed = await call("setCartLine", { who: guest, path: { sku: variant.sku }, body: { quantity: 1 } });
  const body = { email: "guest@example.com", shipping_address, fingerprint: changed.fingerprint };
  const { order, checkout_session } = await call("checkout", { who: guest, body });
  assert.equal(order.total.amount, changed.total.amount);
  const buyer = { OrderToken: order.token };
  const paid = await form(checkout_session.url, { ...card, email: order.email });
  assert.equal(paid.status, 303);
  await until(
    () => call("verifyCheckoutSession", { who: buyer, path: { session_id: checkout_session.id } }),
    (session) => session.is_settled,
  );
  const shown = await call("getOrder", { who: buyer, path: { number: order.number } });
  assert.equal(shown.phase, "paid");
  const found = await call("findOrder", { body: { number: order.number, email: order.email } });
  assert.equal(found.number, order.number);
  await call("getOrder", { who: { OrderToken: "guessed" }, path: { number: order.number }, expected: 404 });
}

async function place(user, variant, email) {
  const cart = await call("addToCart", { who: user, body: { sku: variant.sku } });
  const body = { email, shipping_address, fingerprint: cart.fingerprint };
  return call("placeOrder", { who: user, body });
}

async function userPaysAnIntentAndCancelsAnother(variant) {
  const credentials = { email: `ada-${randomUUID()}@example.com`, password: "a long walk by the sea" };
  const tokens = await call("register", { body: credentials });
  const user = { AccessToken: tokens.access_token };
  const me = await call("getMe", { who: user });
  const order = await place(user, variant, me.email);
  const path = { number: order.number };
  const intent = await call("createPaymentIntent", { who: user, path });
  // As Stripe's SDK does in an app, with a test payment method.
  const confirmed = await form(
    `${STRIPE}/v1/payment_intents/${intent.id}/confirm`,
    { client_secret: intent.client_secret, payment_method: "pm_card_visa", return_url: SHOP },
    { Authorization: `Bearer ${intent.publishable_key}` },
  );
  assert.equal((await confirmed.json()).status, "succeeded");
  await until(
    () => call("getPaymentStatus", { who: user, path }),
    (status) => status.phase === "paid",
  );
  const problem = await call("cancelOrder", { who: user, path, expected: 409 });
  assert.equal(problem.code, "not_cancelable");

  const other = await place(user, variant, me.email);
  const canceled = await call("cancelOrder", { who: user, path: { number: other.number } });
  assert.equal(canceled.status, "canceled");
  const listed = await call("listOrders", { who: user });
  assert.deepEqual(listed.results.map((each) => each.number), [other.number, order.number]);

  const renewed = await call("refreshTokens", { body: { refresh_token: tokens.refresh_token } });
  await call("refreshTokens", { body: { refresh_token: tokens.refresh_token }, expected: 401 });
  await call("signOut", { who: { AccessToken: renewed.access_token } });
  await call("getMe", { who: { AccessToken: renewed.access_token }, expected: 401 });
  return order.number;
}

async function staffRefunds(number) {
  const tokens = await call("signIn", { body: { email: STAFF_EMAIL, password: STAFF_PASSWORD } });
  const clerk = { AccessToken: tokens.access_token };
  const path = { number };
  const asked = await call("refundOrder", { who: clerk, path, body: { why: "requested_by_customer" } });
  assert.deepEqual(asked.refund_requests, []);
  assert.equal(asked.all_refunds.length, 1);
  const order = await until(
    () => call("getAnyOrder", { who: clerk, path }),
    (shown) => shown.status === "refunded",
  );
  assert.equal(order.refundable[0].amount.amount, 0);
}

const variant = await browse();
await guestPaysOnStripesPage(variant);
const number = await userPaysAnIntentAndCancelsAnother(variant);
await staffRefunds(number);
console.log("A guest and a user bought, canceled and were refunded, by the document alone.");
