/**
 * What a website answers, decided without looking at objects: which key a path means, and where a request is sent
 * instead. Pure. Reading objects and writing answers is the pipeline's website.
 * Source: AWS, "Hosting a static website": index documents, custom error documents, redirects, routing rules.
 */
import type { Website } from '../../node/core/bucket-configuration.ts'
import { uriEncode } from '../auth/sigv4.ts'

type RoutingRule = NonNullable<Website['routingRules']>[number]

/** How a client addressed the website. */
export interface WebsiteRequest {
  readonly protocol: 'http' | 'https'
  /** As the Host header has it, with port. */
  readonly host: string
  /** Decoded, without the slash that every path begins with. */
  readonly key: string
}

/** A redirect as it is answered. */
export interface RedirectAnswer {
  readonly status: number
  readonly location: string
}

/** AWS's code where a rule names none. */
const movedPermanently = 301
const found = 302

/** The key of the object that a path means: an index document for whatever ends like a folder. */
export function pageKey(website: Website, key: string): string {
  return key === '' || key.endsWith('/') ? key + (website.indexSuffix ?? '') : key
}

/** The index document that stands where no object was found; undefined when `key` cannot be a folder. */
export function folderIndex(website: Website, key: string): string | undefined {
  return key === '' || key.endsWith('/') ? undefined : `${key}/${website.indexSuffix ?? ''}`
}

/** The redirect to the folder whose index was found. */
export function folderRedirect(key: string): RedirectAnswer {
  return { status: found, location: `/${encodeKey(key)}/` }
}

/** `status` undefined: before the object is looked for; else the error that the look-up ended in. */
export function findRoutingRule(
  website: Website,
  key: string,
  status: number | undefined,
): RoutingRule | undefined {
  return website.routingRules?.find(
    ({ keyPrefixEquals, httpErrorCodeEquals }) =>
      httpErrorCodeEquals === status && key.startsWith(keyPrefixEquals ?? ''),
  )
}

/** Where a rule sends a request. */
export function routingRedirect(rule: RoutingRule, request: WebsiteRequest): RedirectAnswer {
  const { redirect } = rule
  const key = replacedKey(rule, request.key)
  const protocol = redirect.protocol ?? request.protocol
  const host = redirect.hostName ?? request.host
  return {
    status: redirect.httpRedirectCode ?? movedPermanently,
    location: `${protocol}://${host}/${encodeKey(key)}`,
  }
}

function replacedKey({ keyPrefixEquals, redirect }: RoutingRule, key: string): string {
  if (redirect.replaceKeyWith !== undefined) return redirect.replaceKeyWith
  if (redirect.replaceKeyPrefixWith === undefined) return key
  return redirect.replaceKeyPrefixWith + key.slice((keyPrefixEquals ?? '').length)
}

/** Where a website that is only a redirect sends a request. `rawPath`: as sent, with its slash and its query. */
export function redirectAll(
  { hostName, protocol }: NonNullable<Website['redirectAll']>,
  request: { readonly protocol: 'http' | 'https'; readonly rawPath: string },
): RedirectAnswer {
  return {
    status: movedPermanently,
    location: `${protocol ?? request.protocol}://${hostName}${request.rawPath}`,
  }
}

const slashes = /%2F/g

function encodeKey(key: string): string {
  return uriEncode(key).replace(slashes, '/')
}
