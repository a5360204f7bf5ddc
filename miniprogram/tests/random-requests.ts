/** Print random requests as the client signs them, one JSON a line, for a server that checks them:
 *
 *     node … SEED COUNT TOKEN SECRET
 *
 * `signed` are the client's own; one in five is put together by hand, with what a page never asks: names twice, values
 * that are empty. What the server should understand stands beside each.
 */
import { plain, signed, type Request } from "@/api/requests";
import { API, serverNow, type Session } from "@/api/session";
import { canonicalQuery, sign } from "@/api/signing";
import { percentEncode } from "@/api/text";

const [seed, count, token, secret] = process.argv.slice(2) as [string, string, string, string];

/** mulberry32: the same seed gives the same requests. */
let state = Number(seed) >>> 0;
function random(below: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
}

const pick = <T>(some: readonly T[]): T => some[random(some.length)]!;
const several = <T>(most: number, make: () => T): T[] => Array.from({ length: random(most + 1) }, make);
const between = (first: number, last: number) => String.fromCodePoint(first + random(last - first + 1));

const CHARACTERS: readonly (() => string)[] = [
  () => pick([..."abcXYZ019-_.~"]),
  () => pick([..."+%& =?#/;:@,!$'()*[]{}|\\^`\"<>"]),
  () =>
    pick(["%20", "%2B", "%zz", "+-", "&&", "==", "\u0000", "\n", "\r", "\t", "\u007f", "\u00a0", "\u2028"]),
  () => between(0x80, 0x7ff),
  () => between(0x4e00, 0x9fff),
  // By UTF-16 unit these come after the pairs, by code point before them.
  () => between(0xe000, 0xffff),
  () => between(0x10000, 0x10ffff),
  () => pick(["👨‍👩‍👧", "é", "ﬁ", "İ", "ß", "\ufeff", "\ufffd"]),
  () => String.fromCharCode(0xd800 + random(0x800)),
];

const text = (most = 12) => several(most, () => pick(CHARACTERS)()).join("");
/** As it arrives: half a pair can't be sent. */
const arrived = (sent: string) => Buffer.from(sent).toString();

/** The server refuses what looks like bytes that are no UTF-8, and no program makes a path of dots or of nothing. */
function part(): string {
  const made = text().replace(/%(?=[89A-F][0-9A-F])/g, "");
  return /^\.{0,2}$/.test(made) ? "FD1" : made;
}

function request(): Request {
  const method = pick(["GET", "GET", "POST", "PUT"] as const);
  const query = Object.fromEntries(
    several(5, () => [text(), pick([text(), String(random(10 ** 9)), undefined])]),
  );
  const path = pick([
    ["orders"],
    ["orders", part()],
    ["orders", part(), "refresh"],
    ["orders", part(), part()],
  ]);
  const body =
    method === "GET" ? undefined : pick([undefined, { order_nos: several(4, text) }, { [text()]: text(60) }]);
  return { method, path, query, body };
}

function byHand(asked: Request, held: Session) {
  const pairs = several(6, () => [pick(["q", "from", text()]), pick(["", text()])] as const);
  const path = `/api/${asked.path.join("/")}`;
  const sent = plain({ ...asked, query: undefined });
  const [timestamp, nonce] = [serverNow(held), `n-${"0".repeat(14)}${random(2 ** 31)}`];
  const unsigned = { method: asked.method, path, query: pairs, body: sent.body ?? "", timestamp, nonce };
  const headers = {
    ...sent.headers,
    Authorization: `Bearer ${held.token}`,
    "X-MP-Timestamp": String(timestamp),
    "X-MP-Nonce": nonce,
    "X-MP-Signature": sign(unsigned, held.secret),
  };
  // An equal sign may be left out where the value is empty.
  const query = canonicalQuery(pairs).replace(/(?<=[^&])=(?=&|$)/g, () => pick(["=", ""]));
  return { ...sent, url: `${API}/api/${asked.path.map(percentEncode).join("/")}?${query}`, headers, pairs };
}

const held: Session = { token, secret, endsAt: Infinity, clockOffset: 0, api: API };
for (let i = 0; i < Number(count); i++) {
  const asked = request();
  const given = Object.entries(asked.query ?? {}).filter(([, value]) => value !== undefined && value !== "");
  const { pairs, ...sent } = i % 5 === 4 ? byHand(asked, held) : { ...signed(asked, held), pairs: given };
  const meant = {
    path: arrived(`/api/${asked.path.join("/")}`),
    query: pairs.map(([name, value]) => [arrived(name), arrived(String(value))]),
  };
  process.stdout.write(`${JSON.stringify({ ...sent, meant })}\n`);
}
