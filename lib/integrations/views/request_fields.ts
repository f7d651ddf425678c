/**
 * Fields of requests that a view need not have in its key. Everything else that a request brings, and that is not in the
 * key, makes it pass by: a handler may read it.
 */
const HARMLESS = namesIn(
  // about the connection, and about what the client has already
  `:method :path connection keep-alive proxy-connection te content-length priority cache-control pragma if-none-match
  if-modified-since`,
  // HTTP asks every answer that depends on these to say so in `Vary`
  `accept accept-charset accept-encoding accept-language origin referer user-agent sec-ch-ua sec-ch-ua-mobile
  sec-ch-ua-platform sec-fetch-mode sec-fetch-site sec-fetch-user upgrade-insecure-requests`,
  // the address of the client, and the way of the request through proxies
  `forwarded via x-forwarded-for x-forwarded-server x-forwarded-tlsversion x-original-forwarded-for x-real-ip x-client-ip
  true-client-ip cf-connecting-ip cf-connecting-ipv6 fastly-client-ip fly-client-ip x-azure-clientip x-azure-socketip
  x-envoy-external-address cloudfront-viewer-address cdn-loop cf-ew-via fastly-ff fly-region x-azure-fdid
  x-azure-requestchain x-varnish connect-time total-route-time x-request-start x-envoy-attempt-count
  x-envoy-decorator-operation x-envoy-expected-rq-timeout-ms x-envoy-internal`,
  // names of one request
  `b3 cf-ray elastic-apm-traceparent fly-request-id newrelic request-id sentry-trace traceparent tracestate uber-trace-id
  x-amz-cf-id x-amzn-trace-id x-arr-log-id x-azure-ref x-b3-flags x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid
  x-cloud-trace-context x-correlation-id x-datadog-origin x-datadog-parent-id x-datadog-sampling-priority x-datadog-tags
  x-datadog-trace-id x-request-id x-vercel-id`,
);

/**
 * Fields that have few values, and by which servers, proxies and frameworks choose the handler of a request, or handlers
 * what they answer. They are in the key.
 */
const IN_KEY = namesIn(
  `host :authority :scheme x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto x-forwarded-scheme
  x-forwarded-ssl x-scheme x-url-scheme front-end-https cloudfront-forwarded-proto fly-forwarded-port cf-visitor x-arr-ssl
  x-appservice-proto x-original-url x-rewrite-url x-envoy-original-path x-http-method-override accept-version`,
  `content-type dnt save-data sec-gpc sec-fetch-dest purpose sec-purpose x-requested-with cf-ipcountry
  cloudfront-viewer-country x-vercel-ip-country`,
);

function namesIn(...lists: readonly string[]): ReadonlySet<string> {
  return new Set(lists.flatMap(list => list.split(/\s+/)));
}

/** Hosts and schemes are the same in capitals; paths are not. */
const IN_ANY_CASE = /^(host|:authority|:scheme|x-forwarded-(host|proto|scheme))$/;

export type RequestFields = Readonly<Record<string, string | string[] | undefined>>;

/** The fields that are in every key, with their values. */
export function fieldsInKey(headers: RequestFields): readonly unknown[] {
  const forwarded = String(headers.forwarded ?? '').match(/\b(host|proto)=("[^"]*"|[^;,]*)/gi) ?? [];
  const fields = [...IN_KEY]
    .filter(name => headers[name] !== undefined)
    .map(name => {
      const value = String(headers[name]);
      return [name, IN_ANY_CASE.test(name) ? value.toLowerCase() : value];
    });
  return [fields, forwarded];
}

/** Has a request fields that a handler may read, and that are not in the key? */
export function hasUnknownFields(headers: RequestFields, keyed: ReadonlySet<string>): boolean {
  return Object.keys(headers).some(
    name => headers[name] !== undefined && !HARMLESS.has(name) && !keyed.has(name) && !IN_KEY.has(name),
  );
}
