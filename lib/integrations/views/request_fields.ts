/**
 * Fields of requests that need not be in the key of a view. A request with any other field that is not in the key
 * bypasses the cache, because a handler may read it.
 */
const HARMLESS = namesIn(
  // about the connection and the client's own cache
  `:method :path alt-used cache-control connection content-length if-modified-since if-none-match keep-alive
  max-forwards pragma priority proxy-connection te`,
  // HTTP requires a response that depends on these to name them in `Vary`
  `accept accept-charset accept-encoding accept-language from origin referer sec-ch-ua sec-ch-ua-mobile
  sec-ch-ua-platform sec-fetch-mode sec-fetch-site sec-fetch-storage-access sec-fetch-user upgrade-insecure-requests
  user-agent`,
  // the client's address, and the route through proxies
  `akamai-origin-hop cdn-loop cf-connecting-ip cf-connecting-ipv6 cf-ew-via cf-pseudo-ipv4 client-ip
  cloudfront-viewer-address connect-time do-connecting-ip fastly-client fastly-client-ip fastly-ff
  fastly-orig-accept-encoding fastly-temp-xff fly-client-ip fly-region forwarded render-proxy-ttl total-route-time
  true-client-ip via x-azure-clientip x-azure-fdid x-azure-requestchain x-azure-socketip x-client-ip x-client-port
  x-envoy-attempt-count x-envoy-decorator-operation x-envoy-expected-rq-timeout-ms x-envoy-external-address
  x-envoy-internal x-envoy-peer-metadata x-envoy-peer-metadata-id x-forwarded-for x-forwarded-server
  x-forwarded-tlsversion x-original-forwarded-for x-railway-edge x-real-ip x-request-start x-site-deployment-id
  x-timer x-varnish`,
  // identifiers of one request
  `b3 cf-ray elastic-apm-traceparent fly-request-id newrelic request-id rndr-id sentry-trace traceparent tracestate
  uber-trace-id x-amz-cf-id x-amzn-trace-id x-appgw-trace-id x-arr-log-id x-azure-ref x-b3-flags x-b3-parentspanid
  x-b3-sampled x-b3-spanid x-b3-traceid x-cloud-trace-context x-correlation-id x-datadog-origin x-datadog-parent-id
  x-datadog-sampling-priority x-datadog-tags x-datadog-trace-id x-railway-request-id x-request-id x-vercel-id`,
);

/**
 * Fields with few values, by which servers, proxies and frameworks choose the handler, or handlers their response. They
 * are part of the key.
 */
const IN_KEY = namesIn(
  `:authority :scheme accept-version cf-visitor cloudfront-forwarded-proto disguised-host fastly-ssl
  fly-forwarded-port front-end-https host was-default-hostname x-appservice-proto x-arr-ssl x-envoy-original-path
  x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto x-forwarded-scheme x-forwarded-ssl
  x-http-method-override x-original-host x-original-url x-rewrite-url x-scheme x-url-scheme x-waws-unencoded-url`,
  `cf-ipcountry cloudfront-viewer-country content-type dnt purpose save-data sec-fetch-dest sec-gpc sec-purpose
  x-requested-with x-vercel-ip-country`,
);

function namesIn(...lists: readonly string[]): ReadonlySet<string> {
  return new Set(lists.flatMap(list => list.split(/\s+/)));
}

/** Hosts and schemes are case-insensitive; paths are not. */
const IN_ANY_CASE = /^(host|:authority|:scheme|x-forwarded-(host|proto|scheme))$/;

export type RequestFields = Readonly<Record<string, string | string[] | undefined>>;

/** The fields of every key, with their values. */
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

/** Does a request have fields that a handler may read, and that are not in the key? */
export function hasUnknownFields(headers: RequestFields, keyed: ReadonlySet<string>): boolean {
  return Object.keys(headers).some(
    name => headers[name] !== undefined && !HARMLESS.has(name) && !keyed.has(name) && !IN_KEY.has(name),
  );
}
