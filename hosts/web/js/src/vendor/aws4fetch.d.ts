/** npm's aws4fetch, which the build copies to this place: the package works without a bundler. */
export { AwsV4Signer } from "aws4fetch";
