// All tests of pages in one process, so that each browser is launched once. One file runs by itself just as well.

import "./serve.test.mjs";
import "./policy.test.mjs";
import "./opening.test.mjs";
import "./inspect.test.mjs";
import "./overview.test.mjs";
import "./keys.test.mjs";
import "./changes.test.mjs";
import "./problems.test.mjs";
import "./keyboard.test.mjs";
import "./looks.test.mjs";
import "./freshness.test.mjs";
import "./fixtures.test.mjs";
import "./persistence.test.mjs";
import "./s3.test.mjs";
