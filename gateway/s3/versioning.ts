/**
 * The versioning document of a bucket. What versioning does is the catalog's business.
 * Source: AWS, "PutBucketVersioning" and "GetBucketVersioning", Amazon S3 API Reference.
 */
import { S3Error } from './errors.ts'
import { checkChildren, childText, document, element, word, type XmlNode } from './xml.ts'

export type VersioningStatus = 'Enabled' | 'Suspended'

/**
 * Throws MalformedXML; IllegalVersioningConfigurationException without a status; NotImplemented for MFA delete: there
 * are no MFA devices, and a protection that is not there must not be promised.
 */
export function decodeVersioning(root: XmlNode): VersioningStatus {
  checkChildren(root, ['Status', 'MfaDelete'])
  const mfaDelete = childText(root, 'MfaDelete')
  if (mfaDelete !== undefined && word(mfaDelete, ['Enabled', 'Disabled']) === 'Enabled') {
    throw new S3Error('NotImplemented', 'MFA delete is not implemented.')
  }
  const status = childText(root, 'Status')
  if (status === undefined) throw new S3Error('IllegalVersioningConfigurationException')
  return word(status, ['Enabled', 'Suspended'])
}

/** The answer of GetBucketVersioning; undefined: versioning was never switched on. */
export function encodeVersioning(status: VersioningStatus | undefined): string {
  return document('VersioningConfiguration', element('Status', status))
}
