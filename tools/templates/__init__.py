"""The CloudFormation templates under the values of their parameters.

resolve: a template as CloudFormation sees it, without conditions and parameters.
combinations: values that make sense together.  sweep: write one template for each, for the linters.
"""
