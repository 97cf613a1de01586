/**
 * Settings of stock S3 clients for a federation, ready to paste.
 */

export interface ClientAccess {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Environment of the aws CLI (and of every AWS SDK). */
export function awsSettings(access: ClientAccess): string {
  return [
    `export AWS_ENDPOINT_URL=${access.endpoint}`,
    `export AWS_REGION=${access.region}`,
    `export AWS_DEFAULT_REGION=${access.region}`,
    `export AWS_ACCESS_KEY_ID=${access.accessKeyId}`,
    `export AWS_SECRET_ACCESS_KEY=${access.secretAccessKey}`,
  ].join('\n')
}

/** A remote called `bundescloud` for ~/.config/rclone/rclone.conf. */
export function rcloneSettings(access: ClientAccess): string {
  return [
    '[bundescloud]',
    'type = s3',
    'provider = Other',
    `endpoint = ${access.endpoint}`,
    `region = ${access.region}`,
    `access_key_id = ${access.accessKeyId}`,
    `secret_access_key = ${access.secretAccessKey}`,
  ].join('\n')
}

/** A complete ~/.s3cfg. */
export function s3cmdSettings(access: ClientAccess): string {
  const { host, protocol } = new URL(access.endpoint)
  return [
    '[default]',
    `host_base = ${host}`,
    `host_bucket = ${host}`,
    `use_https = ${protocol === 'https:' ? 'True' : 'False'}`,
    `bucket_location = ${access.region}`,
    `access_key = ${access.accessKeyId}`,
    `secret_key = ${access.secretAccessKey}`,
  ].join('\n')
}
