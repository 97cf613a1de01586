/**
 * The website document of a bucket: reading and writing it. What a request to the website is answered with is decided
 * in website-routing.ts.
 * Source: AWS, "WebsiteConfiguration" and "RoutingRule", Amazon S3 API Reference.
 */
import type { Website, WebsiteRedirect } from '../../node/core/bucket-configuration.ts'
import { invalidArgument, S3Error } from './errors.ts'
import {
  checkChildren,
  child,
  childrenOf,
  childText,
  document,
  element,
  malformed,
  requiredText,
  wrap,
  type XmlNode,
} from './xml.ts'

/** AWS: routing rules of one document. */
const routingRulesMax = 50
/** AWS: a key; a replacement or a prefix is a part of one. */
const keyBytesMax = 1024
/** RFC 1035: a name has at most 253 characters; a port may follow. */
const hostShape = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:\d{1,5})?$/

type RoutingRule = NonNullable<Website['routingRules']>[number]

/** Throws MalformedXML, InvalidArgument, InvalidRequest. */
export function decodeWebsite(root: XmlNode): Website {
  checkChildren(root, ['IndexDocument', 'ErrorDocument', 'RedirectAllRequestsTo', 'RoutingRules'])
  const all = child(root, 'RedirectAllRequestsTo')
  if (all !== undefined) {
    if (root.children.size > 1) {
      throw invalidRequest(
        'RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.',
      )
    }
    checkChildren(all, ['HostName', 'Protocol'])
    return { redirectAll: { hostName: host(requiredText(all, 'HostName')), ...protocol(all) } }
  }
  const errorDocument = child(root, 'ErrorDocument')
  const rules = child(root, 'RoutingRules')
  return {
    indexSuffix: decodeIndex(child(root, 'IndexDocument')),
    ...(errorDocument === undefined ? {} : { errorKey: decodeErrorKey(errorDocument) }),
    ...(rules === undefined ? {} : { routingRules: decodeRoutingRules(rules) }),
  }
}

function invalidRequest(message: string): S3Error {
  return new S3Error('InvalidRequest', message)
}

function decodeIndex(node: XmlNode | undefined): string {
  if (node === undefined) {
    throw invalidArgument(
      'IndexDocument',
      'null',
      'A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty',
    )
  }
  checkChildren(node, ['Suffix'])
  const suffix = requiredText(node, 'Suffix')
  if (suffix === '' || suffix.includes('/') || tooLong(suffix)) {
    throw invalidArgument('IndexDocument', suffix, 'The IndexDocument Suffix is not well formed')
  }
  return suffix
}

function decodeErrorKey(node: XmlNode): string {
  checkChildren(node, ['Key'])
  const key = requiredText(node, 'Key')
  if (key === '' || tooLong(key)) {
    throw invalidArgument('ErrorDocument', key, 'The ErrorDocument Key is not well formed')
  }
  return key
}

function tooLong(text: string): boolean {
  return Buffer.byteLength(text) > keyBytesMax
}

function host(text: string): string {
  if (hostShape.test(text)) return text
  throw invalidRequest(`The host name "${text}" is not well formed.`)
}

function protocol(node: XmlNode): { protocol?: 'http' | 'https' } {
  const text = childText(node, 'Protocol')?.trim().toLowerCase()
  if (text === undefined) return {}
  if (text === 'http' || text === 'https') return { protocol: text }
  throw invalidRequest(
    'Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.',
  )
}

function decodeRoutingRules(node: XmlNode): readonly RoutingRule[] {
  checkChildren(node, ['RoutingRule'])
  const rules = childrenOf(node, 'RoutingRule')
  if (rules.length === 0) throw malformed('no routing rules')
  if (rules.length > routingRulesMax) {
    throw invalidRequest(
      `${rules.length} routing rules provided, the number of routing rules in a website configuration is limited to ${routingRulesMax}.`,
    )
  }
  return rules.map(decodeRoutingRule)
}

function decodeRoutingRule(node: XmlNode): RoutingRule {
  checkChildren(node, ['Condition', 'Redirect'])
  const condition = child(node, 'Condition')
  const redirect = child(node, 'Redirect')
  if (redirect === undefined) throw malformed('a routing rule without a redirect')
  return {
    ...(condition === undefined ? {} : decodeCondition(condition)),
    redirect: decodeRedirect(redirect),
  }
}

function decodeCondition(node: XmlNode): Omit<RoutingRule, 'redirect'> {
  checkChildren(node, ['HttpErrorCodeReturnedEquals', 'KeyPrefixEquals'])
  const code = childText(node, 'HttpErrorCodeReturnedEquals')
  const keyPrefixEquals = keyText(node, 'KeyPrefixEquals')
  if (code === undefined && keyPrefixEquals === undefined) {
    throw invalidRequest(
      "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
    )
  }
  if (code !== undefined && !/^[45]\d\d$/.test(code)) {
    throw invalidRequest(`The provided HTTP error code (${code}) is not valid. Valid codes are 4XX or 5XX.`)
  }
  return {
    ...(keyPrefixEquals === undefined ? {} : { keyPrefixEquals }),
    ...(code === undefined ? {} : { httpErrorCodeEquals: Number(code) }),
  }
}

const redirectChildren = [
  'HostName',
  'HttpRedirectCode',
  'Protocol',
  'ReplaceKeyPrefixWith',
  'ReplaceKeyWith',
]

function decodeRedirect(node: XmlNode): WebsiteRedirect {
  checkChildren(node, redirectChildren)
  if (node.children.size === 0) throw malformed('a redirect to nowhere')
  const hostName = childText(node, 'HostName')
  const code = childText(node, 'HttpRedirectCode')
  const replaceKeyPrefixWith = keyText(node, 'ReplaceKeyPrefixWith')
  const replaceKeyWith = keyText(node, 'ReplaceKeyWith')
  if (code !== undefined && !/^3(0[1-9]|[1-9]\d)$/.test(code)) {
    throw invalidRequest(
      `The provided HTTP redirect code (${code}) is not valid. Valid codes are 3XX except 300.`,
    )
  }
  if (replaceKeyPrefixWith !== undefined && replaceKeyWith !== undefined) {
    throw invalidRequest('You can only define ReplaceKeyPrefix or ReplaceKey but not both.')
  }
  return {
    ...(hostName === undefined ? {} : { hostName: host(hostName) }),
    ...protocol(node),
    ...(code === undefined ? {} : { httpRedirectCode: Number(code) }),
    ...(replaceKeyPrefixWith === undefined ? {} : { replaceKeyPrefixWith }),
    ...(replaceKeyWith === undefined ? {} : { replaceKeyWith }),
  }
}

function keyText(node: XmlNode, name: string): string | undefined {
  const text = childText(node, name)
  if (text !== undefined && tooLong(text)) throw invalidRequest(`${name} is longer than a key can be.`)
  return text
}

/** The answer of GetBucketWebsite. */
export function encodeWebsite(website: Website): string {
  if (website.redirectAll !== undefined) {
    const { hostName, protocol } = website.redirectAll
    return document(
      'WebsiteConfiguration',
      wrap('RedirectAllRequestsTo', element('HostName', hostName), element('Protocol', protocol)),
    )
  }
  const { indexSuffix, errorKey, routingRules } = website
  return document(
    'WebsiteConfiguration',
    wrap('IndexDocument', element('Suffix', indexSuffix)),
    errorKey === undefined ? '' : wrap('ErrorDocument', element('Key', errorKey)),
    routingRules === undefined ? '' : wrap('RoutingRules', ...routingRules.map(encodeRoutingRule)),
  )
}

function encodeRoutingRule({ keyPrefixEquals, httpErrorCodeEquals, redirect }: RoutingRule): string {
  const condition = [
    element('KeyPrefixEquals', keyPrefixEquals),
    element('HttpErrorCodeReturnedEquals', httpErrorCodeEquals),
  ].join('')
  return wrap(
    'RoutingRule',
    condition === '' ? '' : wrap('Condition', condition),
    wrap(
      'Redirect',
      element('Protocol', redirect.protocol),
      element('HostName', redirect.hostName),
      element('ReplaceKeyPrefixWith', redirect.replaceKeyPrefixWith),
      element('ReplaceKeyWith', redirect.replaceKeyWith),
      element('HttpRedirectCode', redirect.httpRedirectCode),
    ),
  )
}
