/**
 * Turns off the source maps that Pulumi's runner installs (source-map-support). Node.js strips types in place, so positions in this
 * program's files are right without a map. With source maps, every registration of a resource reads and parses the maps of the SDK. That is a
 * tenth of the time of an unchanged `pulumi up`.
 */
Reflect.deleteProperty(Error, "prepareStackTrace");
