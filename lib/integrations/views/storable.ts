import { type FieldChanges, fieldOf, type HeaderFields, itemsOf } from './fields.js';

/** Heuristically cacheable statuses (RFC 9110, 15.1), except partial responses and errors. */
const STATUSES = new Set([200, 203, 204, 300, 301, 308, 404, 410]);

/** Fields for one client, for one connection, or with a command to a client. */
const FOR_ONE = [
  'set-cookie',
  'set-cookie2',
  'www-authenticate',
  'proxy-authenticate',
  'authentication-info',
  'proxy-authentication-info',
  'clear-site-data',
  'content-range',
  'trailer',
  'upgrade',
  'pragma',
];

/** Fields with the syntax of `Cache-Control` (RFC 9213): `CDN-Cache-Control`, `Surrogate-Control` … */
const IS_CONTROL = /(^|-)(cache|surrogate)-control$/;

/**
 * Fields about a response, not about one request or client: they may be sent with other responses too. Some are checked
 * further below.
 */
const REPEATABLE = new Set(
  `content-type content-language content-location content-disposition content-encoding content-digest repr-digest digest
  content-md5 etag last-modified link location expires vary age date allow accept-ranges accept-patch accept-post
  retry-after no-vary-search speculation-rules server x-powered-by server-timing deprecation sunset warning
  content-security-policy content-security-policy-report-only permissions-policy feature-policy referrer-policy
  strict-transport-security cross-origin-opener-policy cross-origin-opener-policy-report-only cross-origin-embedder-policy
  cross-origin-embedder-policy-report-only cross-origin-resource-policy origin-agent-cluster document-policy
  reporting-endpoints report-to nel expect-ct timing-allow-origin x-content-type-options x-frame-options x-xss-protection
  x-download-options x-permitted-cross-domain-policies x-dns-prefetch-control x-ua-compatible x-robots-tag
  access-control-allow-origin access-control-allow-credentials access-control-allow-headers access-control-allow-methods
  access-control-expose-headers access-control-max-age accept-ch critical-ch sourcemap x-sourcemap service-worker-allowed
  surrogate-key cache-tag edge-cache-tag xkey api-version api-supported-versions api-deprecated-versions x-api-version
  x-total-count x-total x-total-pages x-page x-per-page x-next-page x-prev-page x-count`.split(/\s+/),
);

/** A nonce in these is for one response. */
const POLICIES = ['content-security-policy', 'content-security-policy-report-only'];

/** The directives that allow a shared cache to store a response. Any other directive forbids it. */
const SHAREABLE =
  /^(public|(max-age|s-maxage)="?0*[1-9]\d*"?|(stale-while-revalidate|stale-if-error)="?\d+"?|must-revalidate|proxy-revalidate|immutable|no-transform)$/;

/**
 * Why a response must not be shared with other requests; `undefined` if it may.
 *
 * @param fields all fields of the response, including those that middleware has set
 * @param keyed names of the request's fields that are in the key
 */
export function whyNotShared(
  status: number,
  fields: HeaderFields,
  keyed: ReadonlySet<string>,
): string | undefined {
  if (!STATUSES.has(status)) {
    return `status ${status}`;
  }
  const forOne = FOR_ONE.find(name => fields[name] !== undefined);
  if (forOne !== undefined) {
    return forOne;
  }
  for (const name of Object.keys(fields).filter(each => IS_CONTROL.test(each))) {
    const forbidden = itemsOf(fieldOf(fields, name)).find(item => !SHAREABLE.test(item));
    if (forbidden !== undefined) {
      return `${name}: ${forbidden}`;
    }
  }
  const policy = POLICIES.find(name => /'nonce-/i.test(fieldOf(fields, name) ?? ''));
  if (policy !== undefined) {
    return `${policy}: nonce`;
  }
  const expires = fieldOf(fields, 'expires');
  if (expires !== undefined && !(Date.parse(expires) > Date.now())) {
    return `expires: ${expires}`;
  }
  const varying = itemsOf(fieldOf(fields, 'vary')).find(item => !keyed.has(item));
  if (varying !== undefined) {
    return `vary: ${varying}`;
  }
  // the encoding was chosen for one client, but `Vary` does not say so
  if (fields['content-encoding'] !== undefined && !keyed.has('accept-encoding')) {
    return 'content-encoding';
  }
  return undefined;
}

/**
 * Why the changes of a handler must not be applied to other responses; `undefined` if they may.
 *
 * @param declared names of fields that the user declares to be the same for every request
 */
export function whyNotRepeated(
  { set, appended }: FieldChanges,
  keyed: ReadonlySet<string>,
  declared: ReadonlySet<string>,
): string | undefined {
  const unknown = [...Object.keys(set), ...Object.keys(appended)].find(
    name => !REPEATABLE.has(name) && !IS_CONTROL.test(name) && !declared.has(name),
  );
  if (unknown !== undefined) {
    return `${unknown}, which is not in the option fields`;
  }
  const origin = set['access-control-allow-origin'] ?? appended['access-control-allow-origin'];
  return origin === undefined || origin === '*' || keyed.has('origin')
    ? undefined
    : 'access-control-allow-origin';
}
