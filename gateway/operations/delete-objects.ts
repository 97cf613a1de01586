/** DeleteObjects: up to 1,000 keys, each with its own outcome. */
import { bypassActions } from '../auth/admission.ts'
import { gatewayLimits } from '../limits.ts'
import { type BucketContext, defineOperation } from '../operation.ts'
import { conditionEtag } from '../s3/conditions.ts'
import { S3Error } from '../s3/errors.ts'
import { checkKey, checkVersionId } from '../s3/names.ts'
import { toS3Error } from '../s3/translate.ts'
import { childText, document, element, requiredText, wrap, type XmlNode } from '../s3/xml.ts'

interface Wanted {
  readonly key: string
  readonly versionId: string | undefined
  readonly etag: string | undefined
  /** A condition of directory buckets that we do not have. */
  readonly unsupported: string | undefined
}

export const deleteObjects = defineOperation({
  name: 'DeleteObjects',
  method: 'POST',
  target: 'bucket',
  subresource: 'delete',
  action: 's3:DeleteObject',
  versionAction: 's3:DeleteObjectVersion',
  furtherActions: bypassActions,
  perKey: true,
  body: 'xml',
  documentBytesMax: gatewayLimits.deleteXmlBytesMax,
  decode: (request) => {
    if (!request.body.hasDigest) {
      throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5')
    }
    const root = request.document('Delete')
    const objects = root.children.get('Object') ?? []
    if (objects.length === 0 || objects.length > gatewayLimits.deleteKeysMax)
      throw new S3Error('MalformedXML')
    return {
      quiet: childText(root, 'Quiet')?.trim().toLowerCase() === 'true',
      wanted: objects.map(decodeWanted),
    }
  },
  call: ({ wanted }, context) => deleteAll(wanted, context),
  encode: (outcomes, { quiet, wanted }) => ({
    status: 200,
    body: document(
      'DeleteResult',
      ...outcomes.map((error, index) => encodeOutcome(wanted[index], error, quiet)),
    ),
  }),
})

function decodeWanted(node: XmlNode): Wanted {
  const etag = childText(node, 'ETag')
  return {
    key: requiredText(node, 'Key'),
    versionId: childText(node, 'VersionId'),
    etag: etag === undefined ? undefined : conditionEtag(etag),
    unsupported: ['LastModifiedTime', 'Size'].find((name) => node.children.has(name)),
  }
}

/** Outcomes in the order of `wanted`: undefined, or why it failed. A few run at once, each with an id of its own. */
async function deleteAll(
  wanted: readonly Wanted[],
  context: BucketContext,
): Promise<readonly (S3Error | undefined)[]> {
  const outcomes: (S3Error | undefined)[] = wanted.map(() => undefined)
  let next = 0
  const work = async (): Promise<void> => {
    for (let index = next++; index < wanted.length; index = next++) {
      const item = wanted[index]
      if (item === undefined) return
      try {
        await deleteOne(item, index, context)
      } catch (error) {
        outcomes[index] = toS3Error(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(gatewayLimits.deleteConcurrency, wanted.length) }, work))
  return outcomes
}

async function deleteOne(item: Wanted, index: number, context: BucketContext): Promise<void> {
  const { store, bucket, call } = context
  checkKey(item.key)
  checkVersionId(item.versionId)
  if (item.key === '') throw new S3Error('InvalidArgument', 'The key is empty')
  await context.authoriseKey(item.key, item.versionId)
  if (item.unsupported !== undefined) throw new S3Error('NotImplemented')
  const conditions = item.etag === undefined ? {} : { ifMatch: item.etag }
  // The request id makes a command idempotent: a thousand commands need a thousand ids.
  const own = { ...call, requestId: `${call.requestId}.${index}` }
  await store.deleteObject({ bucket, key: item.key, conditions }, own)
}

function encodeOutcome(item: Wanted | undefined, error: S3Error | undefined, quiet: boolean): string {
  const names = [element('Key', item?.key), element('VersionId', item?.versionId)]
  if (error !== undefined) {
    return wrap('Error', ...names, element('Code', error.code), element('Message', error.message))
  }
  return quiet ? '' : wrap('Deleted', ...names)
}
