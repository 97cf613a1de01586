/**
 * A website's answers: index documents, error documents, redirects, and pages that say what went wrong in HTML.
 *
 * Reading is handed in (`read`): it is GetObject or HeadObject by everybody, so that a website shows what anonymous
 * requests may read and nothing else. Where a request is sent is decided in s3/website-routing.ts.
 */
import { STATUS_CODES } from 'node:http'
import type { Website } from '../node/core/bucket-configuration.ts'
import type { S3Response } from './operation.ts'
import { S3Error } from './s3/errors.ts'
import type { Headers } from './s3/headers.ts'
import { redirectHeader } from './s3/headers.ts'
import { toS3Error } from './s3/translate.ts'
import {
  findRoutingRule,
  folderIndex,
  folderRedirect,
  pageKey,
  type RedirectAnswer,
  redirectAll,
  routingRedirect,
  type WebsiteRequest,
} from './s3/website-routing.ts'
import { escapeXml } from './s3/xml.ts'

export interface WebsiteVisit extends WebsiteRequest {
  readonly method: string
  /** As sent, with its slash and its query. */
  readonly url: string
  readonly requestId: string
  readonly hostId: string
  /** The bucket's document. Throws NoSuchBucket. */
  readonly website: () => Promise<Website | undefined>
  /**
   * The object as everybody may read it; `whole`: without the conditions and ranges of the request.
   * Throws AccessDenied, NoSuchKey and what else reading ends in.
   */
  readonly read: (key: string, options: { readonly whole: boolean }) => Promise<S3Response>
}

/** The answer, and the error that it tells of. */
export interface WebsiteAnswer {
  readonly response: S3Response
  readonly error: S3Error | undefined
}

/** Never throws but NotModified, whose answer has no page, and what is no S3 error after translation. */
export async function answerVisit(visit: WebsiteVisit): Promise<WebsiteAnswer> {
  try {
    return await visitPages(visit)
  } catch (thrown) {
    const error = toS3Error(thrown)
    if (error.code === 'NotModified') throw error
    return { response: errorPage(error, visit), error }
  }
}

async function visitPages(visit: WebsiteVisit): Promise<WebsiteAnswer> {
  if (visit.method !== 'GET' && visit.method !== 'HEAD') {
    throw new S3Error('MethodNotAllowed', undefined, {
      details: { Method: visit.method, ResourceType: 'OBJECT' },
    })
  }
  const website = await visit.website()
  if (website === undefined) throw new S3Error('NoSuchWebsiteConfiguration')
  if (website.redirectAll !== undefined) {
    return redirected(redirectAll(website.redirectAll, { protocol: visit.protocol, rawPath: visit.url }))
  }
  const rule = findRoutingRule(website, visit.key, undefined)
  if (rule !== undefined) return redirected(routingRedirect(rule, visit))
  try {
    const response = await visit.read(pageKey(website, visit.key), { whole: false })
    const location = response.headers?.[redirectHeader]
    if (location !== undefined) return redirected({ status: movedPermanently, location })
    return { response, error: undefined }
  } catch (thrown) {
    const error = toS3Error(thrown)
    if (error.code === 'NotModified') throw error
    return await answerFailure(website, visit, error)
  }
}

const movedPermanently = 301

function redirected({ status, location }: RedirectAnswer): WebsiteAnswer {
  return { response: { status, headers: { location } }, error: undefined }
}

async function answerFailure(website: Website, visit: WebsiteVisit, error: S3Error): Promise<WebsiteAnswer> {
  if (error.status === 404 || error.status === 403) {
    const index = folderIndex(website, visit.key)
    if (index !== undefined && (await readable(visit, index))) return redirected(folderRedirect(visit.key))
  }
  const rule = findRoutingRule(website, visit.key, error.status)
  if (rule !== undefined) return redirected(routingRedirect(rule, visit))
  if (website.errorKey === undefined || error.status >= 500) {
    return { response: errorPage(error, visit), error }
  }
  try {
    const page = await visit.read(website.errorKey, { whole: true })
    return {
      response: { ...page, status: error.status, headers: { ...page.headers, ...told(error) } },
      error,
    }
  } catch (thrown) {
    return { response: errorPage(error, visit, toS3Error(thrown)), error }
  }
}

/** Whether everybody may read the object. */
async function readable(visit: WebsiteVisit, key: string): Promise<boolean> {
  try {
    await visit.read(key, { whole: true })
    return true
  } catch {
    // Whatever stands in the way of reading it, it is no page to be sent to: the first error is told.
    return false
  }
}

function told(error: S3Error): Record<string, string> {
  return { 'x-amz-error-code': error.code, 'x-amz-error-message': error.message }
}

/** AWS's page. `nested`: why the website's own error page could not be shown. */
function errorPage(
  error: S3Error,
  { requestId, hostId, key, method }: WebsiteVisit,
  nested?: S3Error,
): S3Response {
  const headers = { 'content-type': 'text/html; charset=utf-8', ...told(error), ...error.headers }
  if (method === 'HEAD') return { status: error.status, headers }
  const title = `${error.status} ${STATUS_CODES[error.status] ?? ''}`
  const lines = [...lineOf(error, key), item('RequestId', requestId), item('HostId', hostId)]
  const custom =
    nested === undefined
      ? ''
      : `<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n${lineOf(nested).join('')}</ul>\n`
  return {
    status: error.status,
    headers,
    body: `<html>\n<head><title>${title}</title></head>\n<body>\n<h1>${title}</h1>\n<ul>\n${lines.join('')}</ul>\n${custom}<hr/>\n</body>\n</html>\n`,
  }
}

function lineOf(error: S3Error, key?: string): readonly string[] {
  const about = key !== undefined && error.code === 'NoSuchKey' ? [item('Key', key)] : []
  return [item('Code', error.code), item('Message', error.message), ...about]
}

function item(name: string, text: string): string {
  return `<li>${name}: ${escapeXml(text)}</li>\n`
}

const conditional = new Set([
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
])

/** Of a visitor's headers, those that a read on his behalf looks at; `whole`: no conditions and ranges. */
export function pageHeaders(headers: Headers, whole: boolean): Headers {
  const kept = Object.entries(headers).filter(
    ([name]) => !name.startsWith('x-amz-') && !(whole && conditional.has(name)),
  )
  return Object.fromEntries(kept)
}
