// Pulumi's runner registers ts-node, which compiles `.ts` files that are required and knows neither ES modules nor `.ts`
// specifiers. What an ES module imports goes through Node.js's own loader, which strips the types.
import "./index.ts";
