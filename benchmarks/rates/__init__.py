"""Error rates on studies with known truth: scenarios, the tests of countnest and of R's packages, tables."""
