/** A tag, because a digest that no tool updates misses security fixes of Node.js. */
export const defaultVerifierImage = "gcr.io/distroless/nodejs24-debian13:nonroot";

/** A warning if the image is not pinned by digest. */
export function imageNotes(image: string): string[] {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return [];
  return [
    `The verifier's image ${image} is a tag, which can be moved to another image. Look up its digest (crane digest ${image}, or docker buildx imagetools inspect ${image}) and set k8sauth:verifierImage to ${image}@sha256:…. The policy ${image === defaultVerifierImage ? "default-image-pinned warns about it" : "image-pinned refuses it"}.`,
  ];
}

/** The problem of `image` and `selfContainedImage` together; undefined without one. */
export function imageProblem(image: string, selfContainedImage: boolean): string | undefined {
  if (!selfContainedImage || image !== defaultVerifierImage) return undefined;
  return "selfContainedImage is true, but image is not set. Set the image that you built from verifier/Dockerfile.";
}
