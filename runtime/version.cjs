// Compares versions of Node.js. Old versions must be able to parse this file.
"use strict";

/** Whether a version (`v22.1.0`) is older than a required one (`>= 24.5`). */
function isOlder(version, required) {
  const [a, b] = [version, required].map((text) => text.replace(/^\D+/, "").split("."));
  for (let part = 0; part < b.length; part++) {
    if (Number(a[part]) !== Number(b[part])) return Number(a[part]) < Number(b[part]);
  }
  return false;
}

module.exports = { isOlder };
