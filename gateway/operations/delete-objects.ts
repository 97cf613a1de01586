/** DeleteObjects: up to 1,000 keys or versions, each with its own outcome. */
import type { WriteConditions } from '../../node/core/catalog-types.ts'
import { bypassActions } from '../auth/admission.ts'
import { gatewayLimits } from '../limits.ts'
import { type BucketContext, defineOperation } from '../operation.ts'
import { conditionEtag } from '../s3/conditions.ts'
import { parseHttpDate } from '../s3/dates.ts'
import { type Deleted, deleteOne } from '../s3/deletion.ts'
import { invalidArgument, S3Error } from '../s3/errors.ts'
import { checkKey } from '../s3/names.ts'
import { asksForBypass } from '../s3/retention.ts'
import { toS3Error } from '../s3/translate.ts'
import { parseVersionId } from '../s3/versions.ts'
import {
  childText,
  document,
  element,
  integerText,
  malformed,
  requiredText,
  wrap,
  type XmlNode,
} from '../s3/xml.ts'

interface Wanted {
  readonly key: string
  /** As the client wrote it. */
  readonly versionId: string | undefined
  readonly conditions: WriteConditions
}

export const deleteObjects = defineOperation({
  name: 'DeleteObjects',
  method: 'POST',
  target: 'bucket',
  subresource: 'delete',
  action: 's3:DeleteObject',
  raises: 'removal',
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
      bypassGovernance: asksForBypass(request.headers),
      wanted: objects.map(decodeWanted),
    }
  },
  call: (input, context) => deleteAll(input, context),
  encode: (outcomes, { quiet, wanted }) => ({
    status: 200,
    body: document(
      'DeleteResult',
      ...outcomes.map((outcome, index) => encodeOutcome(wanted[index], outcome, quiet)),
    ),
  }),
})

function decodeWanted(node: XmlNode): Wanted {
  return {
    key: requiredText(node, 'Key'),
    versionId: childText(node, 'VersionId'),
    conditions: decodeConditions(node),
  }
}

function decodeConditions(node: XmlNode): WriteConditions {
  const etag = childText(node, 'ETag')
  const size = childText(node, 'Size')
  const time = childText(node, 'LastModifiedTime')
  const modifiedMs = time === undefined ? undefined : parseHttpDate(time.trim())
  if (time !== undefined && modifiedMs === undefined) throw malformed(`${time} is no time`)
  const bytes = size === undefined ? undefined : integerText(size)
  if (bytes !== undefined && (bytes < 0 || !Number.isSafeInteger(bytes)))
    throw malformed(`${size} is no size`)
  return {
    ...(etag === undefined ? {} : { ifMatch: conditionEtag(etag) }),
    ...(bytes === undefined ? {} : { ifMatchBytes: bytes }),
    ...(modifiedMs === undefined ? {} : { ifMatchModifiedMs: modifiedMs }),
  }
}

type Outcome = Deleted | S3Error

/** Outcomes in the order of `wanted`. A few run at once, each with an id of its own. */
async function deleteAll(
  { wanted, bypassGovernance }: { readonly wanted: readonly Wanted[]; readonly bypassGovernance: boolean },
  context: BucketContext,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let index = next++; index < wanted.length; index = next++) {
      const item = wanted[index]
      if (item === undefined) return
      // The request id makes a command idempotent: a thousand commands need a thousand ids.
      const call = { ...context.call, requestId: `${context.call.requestId}.${index}` }
      try {
        checkEntry(item)
        await context.authoriseKey(item.key, item.versionId)
        outcomes[index] = await deleteOne({ ...item, bypassGovernance }, context, call)
      } catch (error) {
        outcomes[index] = toS3Error(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(gatewayLimits.deleteConcurrency, wanted.length) }, work))
  return outcomes
}

/** What is wrong with one entry fails that entry alone. */
function checkEntry(item: Wanted): void {
  checkKey(item.key)
  if (item.key === '') throw invalidArgument('Key', '', 'The key is empty')
  if (item.versionId !== undefined) parseVersionId(item.versionId, 'VersionId')
}

function encodeOutcome(item: Wanted | undefined, outcome: Outcome, quiet: boolean): string {
  const names = [element('Key', item?.key), element('VersionId', item?.versionId)]
  if (outcome instanceof S3Error) {
    return wrap('Error', ...names, element('Code', outcome.code), element('Message', outcome.message))
  }
  if (quiet) return ''
  const marker = outcome.marker
    ? [element('DeleteMarker', true), element('DeleteMarkerVersionId', outcome.versionId)]
    : []
  return wrap('Deleted', ...names, ...marker)
}
