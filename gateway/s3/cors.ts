/**
 * Cross-origin requests: the CORS document, which rule a request matches, and the headers that follow from it. Pure.
 *
 * Invariant: without a rule that matches origin, method and every requested header, no access-control header is said.
 * Source: AWS, "Elements of a CORS configuration" and "OPTIONS object"; the Fetch standard for the names of headers.
 */
import type { CorsRule } from '../../node/core/bucket-configuration.ts'
import { S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import {
  checkChildren,
  childrenOf,
  childText,
  document,
  element,
  integerText,
  malformed,
  wrap,
  type XmlNode,
} from './xml.ts'

/** AWS: rules of one document. */
export const corsRulesMax = 100
const idCharsMax = 255
const methods = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD']

/** Throws MalformedXML, InvalidRequest. */
export function decodeCors(root: XmlNode): readonly CorsRule[] {
  checkChildren(root, ['CORSRule'])
  const rules = childrenOf(root, 'CORSRule')
  if (rules.length === 0) throw malformed('no rules')
  if (rules.length > corsRulesMax) {
    throw new S3Error(
      'InvalidRequest',
      `The number of CORS rules should not exceed allowed limit of ${corsRulesMax} rules.`,
    )
  }
  return rules.map(decodeRule)
}

const ruleChildren = [
  'ID',
  'AllowedHeader',
  'AllowedMethod',
  'AllowedOrigin',
  'ExposeHeader',
  'MaxAgeSeconds',
]

function decodeRule(node: XmlNode): CorsRule {
  checkChildren(node, ruleChildren)
  const texts = (name: string) => childrenOf(node, name).map((each) => each.text)
  const id = childText(node, 'ID')
  const maxAge = childText(node, 'MaxAgeSeconds')
  const rule: CorsRule = {
    ...(id === undefined ? {} : { id }),
    allowedOrigins: texts('AllowedOrigin'),
    allowedMethods: texts('AllowedMethod'),
    allowedHeaders: texts('AllowedHeader'),
    exposeHeaders: texts('ExposeHeader'),
    ...(maxAge === undefined ? {} : { maxAgeSeconds: integerText(maxAge) }),
  }
  checkRule(rule)
  return rule
}

function checkRule(rule: CorsRule): void {
  if (rule.allowedOrigins.length === 0 || rule.allowedMethods.length === 0) {
    throw malformed('a rule without origin or method')
  }
  if (rule.id !== undefined && rule.id.length > idCharsMax) {
    throw new S3Error('InvalidRequest', `ID length should not exceed allowed limit of ${idCharsMax}`)
  }
  for (const method of rule.allowedMethods) {
    if (methods.includes(method)) continue
    throw new S3Error(
      'InvalidRequest',
      `Found unsupported HTTP method in CORS config. Unsupported method is ${method}`,
    )
  }
  for (const origin of rule.allowedOrigins) checkWildcards('AllowedOrigin', origin)
  for (const header of rule.allowedHeaders) checkWildcards('AllowedHeader', header)
  for (const header of rule.exposeHeaders) checkExposed(header)
}

function checkWildcards(name: string, pattern: string): void {
  if (pattern.split('*').length <= 2) return
  throw new S3Error('InvalidRequest', `${name} "${pattern}" can not have more than one wildcard.`)
}

/** They stand in a header of ours: only names of headers may. */
function checkExposed(header: string): void {
  if (header.includes('*')) {
    throw new S3Error(
      'InvalidRequest',
      `ExposeHeader "${header}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
    )
  }
  if (!/^[!#$%&'+.^_`|~0-9A-Za-z-]+$/.test(header)) {
    throw new S3Error('InvalidRequest', `ExposeHeader "${header}" contains invalid character.`)
  }
}

/** The answer of GetBucketCors. */
export function encodeCors(rules: readonly CorsRule[]): string {
  return document('CORSConfiguration', ...rules.map(encodeRule))
}

function encodeRule(rule: CorsRule): string {
  const all = (name: string, texts: readonly string[]) => texts.map((text) => element(name, text))
  return wrap(
    'CORSRule',
    element('ID', rule.id),
    ...all('AllowedMethod', rule.allowedMethods),
    ...all('AllowedOrigin', rule.allowedOrigins),
    ...all('AllowedHeader', rule.allowedHeaders),
    ...all('ExposeHeader', rule.exposeHeaders),
    element('MaxAgeSeconds', rule.maxAgeSeconds),
  )
}

/** At most one `*`, for any run of characters. */
function matchesPattern(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*')
  if (star < 0) return pattern === text
  const tail = pattern.slice(star + 1)
  return text.length >= pattern.length - 1 && text.startsWith(pattern.slice(0, star)) && text.endsWith(tail)
}

/** What a browser says of the request that a page wants to make. */
export interface CrossOrigin {
  readonly origin: string
  readonly method: string
  /** Lower case. */
  readonly headers: readonly string[]
}

/**
 * Undefined: no page asks. A request that says which method it is about is judged by that one, as AWS does, preflight
 * or not. Throws nothing.
 */
export function crossOriginOf(method: string, headers: Headers): CrossOrigin | undefined {
  const { origin } = headers
  if (origin === undefined) return undefined
  const asked = headers['access-control-request-method']
  return { origin, method: asked ?? method, headers: requestedHeaders(headers) }
}

function requestedHeaders(headers: Headers): readonly string[] {
  return (headers['access-control-request-headers'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
}

interface Match {
  readonly rule: CorsRule
  /** What `access-control-allow-origin` says. */
  readonly allowOrigin: string
}

/** The first rule that allows all of it. */
function findRule(rules: readonly CorsRule[], asked: CrossOrigin): Match | undefined {
  for (const rule of rules) {
    const pattern = rule.allowedOrigins.find((each) => matchesPattern(each, asked.origin))
    if (pattern === undefined || !rule.allowedMethods.includes(asked.method)) continue
    const patterns = rule.allowedHeaders.map((each) => each.toLowerCase())
    const all = asked.headers.every((name) => patterns.some((each) => matchesPattern(each, name)))
    if (all) return { rule, allowOrigin: pattern === '*' ? '*' : asked.origin }
  }
  return undefined
}

/** Caches must keep answers to different pages apart. */
export const corsVary = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method'

/** Headers of an answer to a page of `asked.origin`; undefined: no rule allows it, and none is to be said. */
export function corsHeaders(
  rules: readonly CorsRule[],
  asked: CrossOrigin,
): Readonly<Record<string, string>> | undefined {
  const match = findRule(rules, asked)
  if (match === undefined) return undefined
  const { rule, allowOrigin } = match
  return {
    'access-control-allow-origin': allowOrigin,
    'access-control-allow-methods': rule.allowedMethods.join(', '),
    // Browsers refuse credentials beside the origin `*`.
    ...(allowOrigin === '*' ? {} : { 'access-control-allow-credentials': 'true' }),
    ...(asked.headers.length === 0 ? {} : { 'access-control-allow-headers': asked.headers.join(', ') }),
    ...(rule.exposeHeaders.length === 0
      ? {}
      : { 'access-control-expose-headers': rule.exposeHeaders.join(', ') }),
    ...(rule.maxAgeSeconds === undefined ? {} : { 'access-control-max-age': String(rule.maxAgeSeconds) }),
    vary: corsVary,
  }
}

/** A preflight's question. Throws BadRequest when it lacks what makes it one. */
export function decodePreflight(headers: Headers): CrossOrigin {
  const { origin } = headers
  if (origin === undefined) {
    throw new S3Error('BadRequest', 'Insufficient information. Origin request header needed.')
  }
  const method = headers['access-control-request-method']
  if (method === undefined || !methods.includes(method)) {
    throw new S3Error('BadRequest', `Invalid Access-Control-Request-Method: ${method ?? 'null'}`)
  }
  return { origin, method, headers: requestedHeaders(headers) }
}

/** Headers of a preflight's answer; `rules` undefined: the bucket has none. Throws AccessForbidden. */
export function preflight(
  rules: readonly CorsRule[] | undefined,
  asked: CrossOrigin,
  resourceType: 'SERVICE' | 'BUCKET' | 'OBJECT',
): Readonly<Record<string, string>> {
  const details = { Method: asked.method, ResourceType: resourceType }
  if (rules === undefined) {
    throw new S3Error('AccessForbidden', 'CORSResponse: CORS is not enabled for this bucket.', { details })
  }
  const headers = corsHeaders(rules, asked)
  if (headers !== undefined) return headers
  throw new S3Error(
    'AccessForbidden',
    "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
    { details },
  )
}
