/** PostObject: the file of a browser's form; what its fields say stands for the headers of a PutObject. */
import { objectWriteActions } from '../auth/admission.ts'
import { uriEncode } from '../auth/sigv4.ts'
import { defineOperation, type S3Request } from '../operation.ts'
import { decodeObjectWrite, writeObject, writtenObjectHeaders } from '../s3/object-write.ts'
import { element, wrap, xmlHead } from '../s3/xml.ts'

/** What the browser gets: an answer of this status, or the way to another page. */
type Success = { readonly status: 200 | 201 | 204 } | { readonly status: 303; readonly url: URL }

export const postObject = defineOperation({
  name: 'PostObject',
  method: 'POST',
  target: 'bucket',
  action: 's3:PutObject',
  raises: 'ObjectCreated:Post',
  furtherActions: objectWriteActions,
  body: 'form',
  decode: (request) => ({
    write: decodeObjectWrite(request),
    success: decodeSuccess(request.form),
    location: locationOf(request),
  }),
  call: ({ write }, context) => writeObject(write, context),
  encode: (written, { write, success, location }, { bucket }) => {
    const { etag } = written
    const { key } = write
    const headers = { ...writtenObjectHeaders(written, write, bucket), location }
    if (success.status === 303) {
      return {
        status: 303,
        headers: { ...headers, location: redirection(success.url, bucket.name, { key, etag }) },
      }
    }
    if (success.status !== 201) return { status: success.status, headers }
    // In no namespace, other than every other answer: AWS's own has none.
    const body = wrap(
      'PostResponse',
      element('Location', location),
      element('Bucket', bucket.name),
      element('Key', key),
      element('ETag', `"${etag}"`),
    )
    return { status: 201, headers, body: xmlHead + body }
  },
})

/** What is no URL or no such status is as good as absent, as AWS has it. `redirect` is the field's former name. */
function decodeSuccess(form: ReadonlyMap<string, string>): Success {
  const page = form.get('success_action_redirect') ?? form.get('redirect')
  const url = page === undefined ? null : URL.parse(page)
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return { status: 303, url }
  switch (form.get('success_action_status')) {
    case '200':
      return { status: 200 }
    case '201':
      return { status: 201 }
    default:
      return { status: 204 }
  }
}

/** The page with what was stored in its query. */
function redirection(url: URL, bucketName: string, { key, etag }: { key: string; etag: string }): string {
  const stored = `bucket=${uriEncode(bucketName)}&key=${uriEncode(key)}&etag=${uriEncode(`"${etag}"`)}`
  const page = new URL(url)
  page.search = page.search === '' ? stored : `${page.search}&${stored}`
  return page.href
}

function locationOf({ origin, virtualHost, bucketName, key }: S3Request): string {
  const path = key.split('/').map(uriEncode).join('/')
  return virtualHost ? `${origin}/${path}` : `${origin}/${bucketName}/${path}`
}
