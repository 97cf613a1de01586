/** GetObjectAttributes: what is known of an object and of its parts, without its bytes or metadata. */
import { gatewayLimits } from '../limits.ts'
import { type BucketContext, defineOperation, type S3Request } from '../operation.ts'
import { checksums, checksumText } from '../s3/checksum.ts'
import { httpDate } from '../s3/dates.ts'
import { checkCustomerKey, decodeCustomerKey, refuseWriteEncryption } from '../s3/encryption.ts'
import { invalidArgument, S3Error } from '../s3/errors.ts'
import { type ObjectPart, objectParts, partChecksumElement } from '../s3/multipart.ts'
import { parsePageSize } from '../s3/paging.ts'
import { requestedVersion, requireObject, versionHeaders } from '../s3/versions.ts'
import { document, element, wrap } from '../s3/xml.ts'

const attributeNames = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const
type AttributeName = (typeof attributeNames)[number]

const attributesHeader = 'x-amz-object-attributes'

interface PartPage {
  readonly afterPartNumber: number
  readonly pageSize: number
}

export const getObjectAttributes = defineOperation({
  name: 'GetObjectAttributes',
  method: 'GET',
  target: 'object',
  subresource: 'attributes',
  action: 's3:GetObjectAttributes',
  versionAction: 's3:GetObjectVersionAttributes',
  furtherActions: [{ action: 's3:GetObject', versionAction: 's3:GetObjectVersion', when: 'always' }],
  findsObject: true,
  body: 'none',
  decode: (request) => {
    refuseWriteEncryption(request.headers)
    return {
      key: request.key,
      versionId: requestedVersion(request),
      customerKey: decodeCustomerKey(request),
      wanted: decodeAttributes(request),
      page: decodePage(request),
    }
  },
  call: async ({ key, versionId, customerKey }, context: BucketContext) => {
    const object = requireObject(await context.findObject({ key, versionId, expect: 'nothing' }), {
      versionId,
    })
    checkCustomerKey(object.version.encryption, customerKey)
    return object
  },
  encode: (object, { wanted, page }) => {
    const { version } = object
    const { checksum } = version
    const parts = objectParts(version)
    const markup: Record<AttributeName, () => string> = {
      ETag: () => element('ETag', version.etag),
      // AWS leaves out the number of parts here; its documentation does not say so, and the conformance suite wants it.
      Checksum: () =>
        checksum === undefined
          ? ''
          : wrap(
              'Checksum',
              element(checksums[checksum.algorithm].element, checksumText(checksum, parts.length)),
              element('ChecksumType', checksum.type),
            ),
      ObjectParts: () => (parts.length === 0 ? '' : encodeParts(parts, page)),
      StorageClass: () => element('StorageClass', 'STANDARD'),
      ObjectSize: () => element('ObjectSize', version.bytes),
    }
    return {
      status: 200,
      headers: { 'last-modified': httpDate(version.modifiedMs), ...versionHeaders(version, object) },
      body: document(
        'GetObjectAttributesResponse',
        ...attributeNames.filter((name) => wanted.has(name)).map((name) => markup[name]()),
      ),
    }
  },
})

/** Throws InvalidRequest without the header, InvalidArgument for an unknown name. */
function decodeAttributes({ headers }: S3Request): ReadonlySet<AttributeName> {
  const text = headers[attributesHeader] ?? ''
  const names = text.split(',').map((name) => name.trim())
  const wanted = attributeNames.filter((name) => names.includes(name))
  if (names.every((name) => name === '')) {
    throw new S3Error(
      'InvalidRequest',
      `The ${attributesHeader} header specifying the attributes to be retrieved is either missing or empty`,
    )
  }
  if (names.some((name) => !attributeNames.includes(name as AttributeName))) {
    throw invalidArgument(attributesHeader, text, 'Invalid attribute name specified.')
  }
  return new Set(wanted)
}

/** Throws InvalidArgument. */
function decodePage({ headers }: S3Request): PartPage {
  const marker = headers['x-amz-part-number-marker']
  return {
    afterPartNumber: parsePageSize('x-amz-part-number-marker', marker ?? '0', gatewayLimits.partNumberMax),
    pageSize: parsePageSize('x-amz-max-parts', headers['x-amz-max-parts'], gatewayLimits.listEntriesMax),
  }
}

function encodeParts(parts: readonly ObjectPart[], { afterPartNumber, pageSize }: PartPage): string {
  const rest = parts.filter((part) => part.partNumber > afterPartNumber)
  const shown = rest.slice(0, pageSize)
  return wrap(
    'ObjectParts',
    element('PartsCount', parts.length),
    element('PartNumberMarker', afterPartNumber),
    element('NextPartNumberMarker', shown.at(-1)?.partNumber ?? 0),
    element('MaxParts', pageSize),
    element('IsTruncated', rest.length > shown.length),
    ...shown.map((part) =>
      wrap(
        'Part',
        element('PartNumber', part.partNumber),
        element('Size', part.bytes),
        partChecksumElement(part),
      ),
    ),
  )
}
